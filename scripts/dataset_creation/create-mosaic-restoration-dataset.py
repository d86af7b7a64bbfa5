#!/usr/bin/env python3
"""Cut videos into the clips of a mosaic restoration dataset."""

from lada.cli import run_script
from lada.commands import create

if __name__ == '__main__':
    run_script(create.main, create.build_parser())
