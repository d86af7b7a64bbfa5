#!/usr/bin/env python3
"""Reduce a training checkpoint to the weights that inference needs."""

from lada.cli import run_script
from lada.commands import export

if __name__ == '__main__':
    run_script(export.main, export.build_parser())
