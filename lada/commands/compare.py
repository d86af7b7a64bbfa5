"""Say whether checkpoint B is better than checkpoint A, from what the evaluation script wrote about
them.
"""

import argparse

from lada.cli import make_parser
from lada.errors import LadaError


def build_parser() -> argparse.ArgumentParser:
    parser = make_parser(__doc__)
    parser.add_argument('a', metavar='A', help='evaluation.json')
    parser.add_argument('b', metavar='B', help='evaluation.json of the same clips')
    parser.add_argument('--label-a', metavar='NAME', help='which checkpoint of A (none: the last)')
    parser.add_argument('--label-b', metavar='NAME', help='which checkpoint of B (none: the last)')
    parser.add_argument(
        '--score',
        default='psnr_mosaic',
        metavar='NAME',
        help='what to compare, a score that both evaluations have',
    )
    return parser


def main(args: argparse.Namespace) -> None:
    from lada.evaluation.bootstrap import compare
    from lada.evaluation.results import Evaluation

    evaluations = Evaluation.from_file(args.a), Evaluation.from_file(args.b)
    labels = []
    for evaluation, label in zip(evaluations, (args.label_a, args.label_b), strict=True):
        known = evaluation.methods
        if label is not None and label not in known:
            raise LadaError(
                f'no restoration {label!r} in the evaluation; it has {", ".join(known)}'
            )
        labels.append(label or known[-1])
    print(
        f'{labels[1]} is'
        f' {compare(evaluations[0], labels[0], evaluations[1], labels[1], args.score)}'
    )
