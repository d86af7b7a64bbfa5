#!/usr/bin/env python3
"""Say whether checkpoint B is better than checkpoint A."""

from lada.cli import run_script
from lada.commands import compare

if __name__ == '__main__':
    run_script(compare.main, compare.build_parser())
