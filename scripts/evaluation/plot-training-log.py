#!/usr/bin/env python3
"""Plot the training curves of runs, and say how each goes."""

from lada.cli import run_script
from lada.commands import plot

if __name__ == '__main__':
    run_script(plot.main, plot.build_parser())
