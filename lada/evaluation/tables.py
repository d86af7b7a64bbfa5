"""Results as text: a table for the terminal and CSV."""

import csv
import io
import math
from collections.abc import Callable

from lada.evaluation.results import BASELINES, INPUT, ClipResult, Evaluation
from lada.evaluation.scores import find_score


def summary_table(evaluation: Evaluation) -> str:
    """Return the means over all clips, one column for each restoration."""
    return _align(summary_rows(evaluation))


def summary_rows(evaluation: Evaluation) -> list[list[str]]:
    """Return the cells of the means over all clips, and the median gain; the first row is the
    header.
    """
    methods = evaluation.methods

    def row(title: str, value: Callable[[str, str], float], name: str) -> list[str]:
        return [title, *[number_text(value(method, name), name) for method in methods]]

    return [
        ['', *map(method_title, methods)],
        row('gain (dB)', evaluation.total, 'gain'),
        row('median gain (dB)', evaluation.median, 'gain'),
        *[row(score_title(name), evaluation.total, name) for name in evaluation.score_names()],
    ]


def clip_table(evaluation: Evaluation, limit: int = 20) -> str:
    """Return PSNR in the mosaic for each clip and restoration, the last checkpoint's worst gain
    first.
    """
    labels = list(evaluation.checkpoints)
    header = [
        'clip',
        'block',
        'mosaic',
        *BASELINES,
        *[column for label in labels for column in (label, 'gain')],
    ]

    def numbers(value: Callable[[str, str], float]) -> list[str]:
        columns = [(method, 'psnr_mosaic') for method in BASELINES]
        columns += [(label, name) for label in labels for name in ('psnr_mosaic', 'gain')]
        return [number_text(value(method, name), name) for method, name in columns]

    clips = sorted(evaluation.clips, key=lambda clip: _order(clip.value(labels[-1], 'gain')))
    rows = [
        [clip.key, block_text(clip), f'{clip.region:.0%}', *numbers(clip.value)]
        for clip in clips[:limit]
    ]
    total = ['all clips', '', '', *numbers(evaluation.total)]
    hidden = f'\n({len(clips) - limit} more clips in the CSV file)' if len(clips) > limit else ''
    return _align([header, *rows, total]) + hidden


def to_csv(evaluation: Evaluation) -> str:
    """Return one line for each clip and restoration, and empty cells where there is no value."""
    names = ['gain', *evaluation.score_names()]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(
        ['clip', 'source', 'frames', 'block_height', 'block_width', 'region', 'restoration', *names]
    )
    for clip in evaluation.clips:
        for method in evaluation.methods:
            values = [clip.value(method, name) for name in names]
            about = [
                clip.key,
                clip.source,
                clip.frames,
                *(clip.block or ('', '')),
                f'{clip.region:.6g}',
            ]
            writer.writerow(
                [*about, method, *['' if math.isnan(value) else f'{value:.6g}' for value in values]]
            )
    return text.getvalue()


def block_text(clip: ClipResult) -> str:
    """Return a clip's block size, as height x width."""
    return '' if clip.block is None else f'{clip.block[0]:.3g}x{clip.block[1]:.3g}'


def method_title(method: str) -> str:
    """Return how a restoration is called in tables."""
    return 'mosaic input' if method == INPUT else method


def score_title(name: str) -> str:
    """Return how a score is called in tables, with its unit; its name if nobody registered it."""
    score = find_score(name)
    if score is None:
        return name
    return f'{score.title} ({score.unit})' if score.unit else score.title


def number_text(value: float, name: str) -> str:
    """Return a score's value with the digits it deserves; ``-`` for none."""
    if math.isnan(value):
        return '-'
    score = find_score(name)
    # "z": what rounds to zero has no sign.
    return f'{value:+z.2f}' if name == 'gain' else f'{value:z.{score.digits if score else 2}f}'


def _order(value: float) -> tuple[bool, float]:
    return math.isnan(value), value


def _align(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join([lines[0], '-' * len(lines[0]), *lines[1:]])
