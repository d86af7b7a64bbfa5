#!/usr/bin/env python3
"""Train a BasicVSR++ mosaic restoration network from a config file."""

from lada.cli import run_script
from lada.commands import train

if __name__ == '__main__':
    run_script(train.main, train.build_parser())
