#!/usr/bin/env python3
"""Turn a stage 1 checkpoint into the weights of generator and average that stage 2 starts from."""

from lada.cli import run_script
from lada.commands import convert_to_stage2

if __name__ == '__main__':
    run_script(convert_to_stage2.main, convert_to_stage2.build_parser())
