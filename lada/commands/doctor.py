"""Look at what training needs: packages, devices, codecs, memory, disk, weights.

Whatever is missing is named with the command that mends it. Exit status 1 if nothing can be
trained.
"""

import argparse

from lada.cli import make_parser


def build_parser() -> argparse.ArgumentParser:
    return make_parser(__doc__)


def main(args: argparse.Namespace) -> int:
    """Print what was found; returns 1 where nothing can be trained."""
    from lada.doctor.codecs import codecs
    from lada.doctor.devices import devices
    from lada.doctor.finding import PROBLEM, WARNING, findings
    from lada.doctor.namesakes import namesakes
    from lada.doctor.packages import packages
    from lada.doctor.places import places
    from lada.doctor.weights import weights
    from lada.text import counted

    states = []
    for each in findings([namesakes, packages, devices, codecs, places, weights]):
        states.append(each.state)
        print(f'{each.state:8} {each.name}: {each.found}', flush=True)
        if each.remedy:
            print(f'{"":8} $ {each.remedy}')
    problems, warnings = states.count(PROBLEM), states.count(WARNING)
    verdict = 'nothing can be trained' if problems else 'ready to train'
    print(f'{verdict}: {counted(problems, "problem")}, {counted(warnings, "warning")}')
    return 1 if problems else 0
