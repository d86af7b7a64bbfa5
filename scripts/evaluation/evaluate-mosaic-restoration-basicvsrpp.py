#!/usr/bin/env python3
"""Measure checkpoints on a validation set."""

from lada.cli import run_script
from lada.commands import evaluate

if __name__ == '__main__':
    run_script(evaluate.main, evaluate.build_parser())
