#!/usr/bin/env python3
"""Restore the mosaic regions of a whole video with a trained network."""

from lada.cli import run_script
from lada.commands import restore

if __name__ == '__main__':
    run_script(restore.main, restore.build_parser())
