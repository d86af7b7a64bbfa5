#!/usr/bin/env python3
"""Check a dataset of clips, or a split for leakage."""

from lada.cli import run_script
from lada.commands import check

if __name__ == '__main__':
    run_script(check.main, check.build_parser())
