#!/usr/bin/env python3
"""Show what the network will see of a dataset."""

from lada.cli import run_script
from lada.commands import preview

if __name__ == '__main__':
    run_script(preview.main, preview.build_parser())
