#!/usr/bin/env python3
"""Pack datasets into a few tar files, or unpack them."""

from lada.cli import run_script
from lada.commands import pack

if __name__ == '__main__':
    run_script(pack.main, pack.build_parser())
