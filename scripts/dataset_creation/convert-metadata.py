#!/usr/bin/env python3
"""Write a dataset's metadata in another version."""

from lada.cli import run_script
from lada.commands import convert_metadata

if __name__ == '__main__':
    run_script(convert_metadata.main, convert_metadata.build_parser())
