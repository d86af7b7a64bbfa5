#!/usr/bin/env python3
"""Split a dataset of clips into training and validation."""

from lada.cli import run_script
from lada.commands import split

if __name__ == '__main__':
    run_script(split.main, split.build_parser())
