#!/usr/bin/env python3
"""Find the mosaics of a video: mask, block size and grid."""

from lada.cli import run_script
from lada.commands import find

if __name__ == '__main__':
    run_script(find.main, find.build_parser())
