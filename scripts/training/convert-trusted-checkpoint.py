#!/usr/bin/env python3
"""Make a file that Lada loads of a checkpoint that it refuses."""

from lada.cli import run_script
from lada.commands import convert_trusted

if __name__ == '__main__':
    run_script(convert_trusted.main, convert_trusted.build_parser())
