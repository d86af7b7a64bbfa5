"""The report of an evaluation as one HTML file."""

import base64
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from lada.evaluation.bootstrap import compare, total_interval
from lada.evaluation.charts import Series, chart
from lada.evaluation.page import page, table
from lada.evaluation.results import BASELINES, CONSISTENT, INPUT, ClipResult, Evaluation
from lada.evaluation.scores import find_score
from lada.evaluation.tables import (
    block_text,
    method_title,
    number_text,
    score_title,
    summary_rows,
)
from lada.text import counted

BLOCK_EDGES = (0, 8, 12, 16, 24, math.inf)
REGION_EDGES = (0, 0.05, 0.1, 0.2, 0.3, 1.01)


@dataclass(frozen=True)
class FramePictures:
    """Pictures of one frame of a clip, as JPEG files."""

    key: str
    gain: float
    before: bytes
    after: bytes
    truth: bytes


def report(evaluation: Evaluation, pictures: list[FramePictures]) -> str:
    """Return the page; ``pictures`` from the lowest gain to the highest, of the last checkpoint."""
    last = list(evaluation.checkpoints)[-1]
    return page(
        'Mosaic restoration: evaluation',
        _about(evaluation),
        _cards(evaluation),
        _means(evaluation),
        _curves(evaluation),
        _pictures(pictures, last),
        _breakdown(evaluation),
        _clips(evaluation),
        _meanings(evaluation),
    )


def _about(evaluation: Evaluation) -> str:
    sources = len({clip.source for clip in evaluation.clips})
    notes = ''.join(f'<p class="muted">{escape(note)}</p>' for note in evaluation.notes)
    return (
        f'<p class="muted">{counted(len(evaluation.clips), "clip")} of'
        f' {counted(sources, "source video")} in <code>{escape(evaluation.data)}</code>, config'
        f' <code>{escape(evaluation.config)}</code>. Restored pixels are a plausible'
        ' reconstruction, never evidence of what was hidden.</p>' + notes
    )


def _cards(evaluation: Evaluation) -> str:
    cards = []
    labels = list(evaluation.checkpoints)
    for label in labels:
        low, high = total_interval(evaluation, label, 'gain')
        sure = '' if math.isnan(low) else f'95 % interval {low:+z.2f} to {high:+z.2f} dB<br>'
        over = evaluation.total(label, 'psnr_mosaic') - evaluation.total(CONSISTENT, 'psnr_mosaic')
        versus = '' if math.isnan(over) else f'{over:+z.2f} dB over consistent interpolation<br>'
        verdict = ''
        if label != labels[0]:
            comparison = compare(evaluation, labels[0], evaluation, label)
            verdict = f'{escape(str(comparison))}, against {escape(labels[0])}<br>'
        gain = number_text(evaluation.total(label, 'gain'), 'gain')
        cards.append(
            f'<div class="card">{escape(label)}<b>{gain} dB</b>'
            f'<span class="muted">gain in the mosaic over the input<br>{versus}{sure}{verdict}'
            f'<code>{escape(evaluation.checkpoints[label])}</code></span></div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _means(evaluation: Evaluation) -> str:
    header, *rows = summary_rows(evaluation)
    return '<h2>Means over all clips</h2>' + table(header, rows)


def _curves(evaluation: Evaluation) -> str:
    steps = {
        label: int(match.group(1))
        for label in evaluation.checkpoints
        if (match := re.search(r'iter_(\d+)$', label))
    }
    if len(set(steps.values())) < 2:
        return ''
    runs: dict[str, list[tuple[float, float]]] = {}
    for label, step in sorted(steps.items(), key=lambda item: item[1]):
        runs.setdefault(label.rpartition('/')[0] or 'gain', []).append(
            (step, evaluation.total(label, 'gain'))
        )
    series = [Series(name, points) for name, points in runs.items()]
    ends = min(steps.values()), max(steps.values())
    for method in BASELINES[1:]:
        baseline = evaluation.total(method, 'gain')
        if not math.isnan(baseline):
            series.append(Series(method, [(end, baseline) for end in ends]))
    return '<h2>Gain over iterations</h2>' + chart(series, 'iteration', 'gain in the mosaic (dB)')


def _breakdown(evaluation: Evaluation) -> str:
    def points(measure: Callable[[ClipResult], float]) -> list[Series]:
        found = []
        for label in evaluation.checkpoints:
            pairs = [(measure(clip), clip.value(label, 'gain')) for clip in evaluation.clips]
            titles = [
                f'{clip.key}: {gain:+z.2f} dB'
                for clip, (_, gain) in zip(evaluation.clips, pairs, strict=True)
            ]
            found.append(Series(label, pairs, line=False, titles=titles))
        return found

    def bins(title: str, measure: Callable[[ClipResult], float], edges, text) -> str:
        rows = []
        methods = [method for method in evaluation.methods if method != INPUT]
        for low, high in pairwise(edges):
            clips = [clip for clip in evaluation.clips if low <= measure(clip) < high]
            if clips:
                part = Evaluation(evaluation.config, evaluation.data, evaluation.checkpoints, clips)
                rows.append(
                    [
                        text(low, high),
                        str(len(clips)),
                        *[number_text(part.total(method, 'gain'), 'gain') for method in methods],
                    ]
                )
        return table([title, 'clips', *map(method_title, methods)], rows)

    def height(clip):
        return clip.block[0] if clip.block else math.nan

    def region(clip):
        return clip.region

    def pixels(low, high):
        return f'{low} and more' if math.isinf(high) else f'{low} to {high}'

    def percent(low, high):
        return f'{low:.0%} and more' if high > 1 else f'{low:.0%} to {high:.0%}'

    percents = [
        Series(item.name, [(100 * x, y) for x, y in item.points], False, item.titles)
        for item in points(region)
    ]
    return (
        '<h2>Gain by block size and region size</h2><div class="two"><div>'
        + chart(points(height), 'height of a block (pixels)', 'gain (dB)')
        + bins('block height', height, BLOCK_EDGES, pixels)
        + '</div><div>'
        + chart(percents, 'share of the frame that is mosaic (%)', 'gain (dB)')
        + bins('mosaic', region, REGION_EDGES, percent)
        + '</div></div>'
    )


def _clips(evaluation: Evaluation) -> str:
    labels = list(evaluation.checkpoints)
    names = evaluation.score_names()
    header = ['clip', 'block', 'mosaic', *map(method_title, BASELINES)]
    header += [
        text for label in labels for text in (label, f'gain {label}' if len(labels) > 1 else 'gain')
    ]
    extra = [name for name in names if name not in ('psnr_mosaic', 'psnr')]
    header += [
        f'{score_title(name)}, {labels[-1]}' if len(labels) > 1 else score_title(name)
        for name in extra
    ]
    rows = []
    for clip in evaluation.clips:
        row = [
            clip.key,
            (block_text(clip), clip.block[0] if clip.block else math.nan),
            (f'{clip.region:.1%}', clip.region),
        ]
        values = [(clip.value(method, 'psnr_mosaic'), 'psnr_mosaic') for method in BASELINES]
        values += [
            (clip.value(label, name), name) for label in labels for name in ('psnr_mosaic', 'gain')
        ]
        values += [(clip.value(labels[-1], name), name) for name in extra]
        rows.append(row + [(number_text(value, name), value) for value, name in values])
    return (
        '<h2>Clips</h2><p class="muted">PSNR in dB over the mosaic region. Choose a heading to'
        ' sort.</p>' + table(header, rows, sortable=True)
    )


def _pictures(pictures: list[FramePictures], label: str) -> str:
    if not pictures:
        return ''
    shown = [item for item in pictures if not math.isnan(item.gain)]
    half = (len(shown) + 1) // 2
    worst, best = shown[:half], shown[half:][::-1]
    parts = [
        (
            f'<h2>Lowest gains</h2><p class="muted">Drag: mosaic on the left, {escape(label)} on'
            ' the right. Ground truth below.</p>'
        ),
        _gallery(worst),
    ]
    if best:
        parts += ['<h2>Highest gains</h2>', _gallery(best)]
    return ''.join(parts)


def _gallery(pictures: list[FramePictures]) -> str:
    figures = [
        f'<figure><div class="slider"><img src="{_uri(item.before)}" alt="mosaic"><img'
        f' class="after" src="{_uri(item.after)}" alt="restored"><div class="bar"></div><span'
        ' class="l">mosaic</span><span class="r">restored</span><input type="range" min="0"'
        ' max="100" value="50" aria-label="mosaic or restored,'
        f' {escape(item.key)}"></div><details><summary>ground truth</summary><img class="truth"'
        f' src="{_uri(item.truth)}" alt="ground truth"></details><figcaption>{escape(item.key)}:'
        f' {item.gain:+z.2f} dB</figcaption></figure>'
        for item in pictures
    ]
    return f'<div class="clips">{"".join(figures)}</div>'


def _meanings(evaluation: Evaluation) -> str:
    lines = [
        (
            '<dt>gain</dt><dd>PSNR in the mosaic above that of the mosaic input, in dB. The'
            ' headline.</dd>'
        ),
        '<dt>bicubic</dt><dd>what interpolating the block means gives, without any network.</dd>',
        (
            '<dt>consistent</dt><dd>the same, then each block shifted so that its mean is the'
            " mosaic's again: what a network has to beat.</dd>"
        ),
    ]
    for name in evaluation.score_names():
        score = find_score(name)
        if score is not None:
            better = 'higher is better' if score.higher_is_better else 'lower is better'
            lines.append(
                f'<dt>{escape(score.title)}</dt><dd>{escape(score.meaning)}; {better}.</dd>'
            )
    return f'<h2>What the numbers mean</h2><dl>{"".join(lines)}</dl>'


def _uri(jpeg: bytes) -> str:
    return 'data:image/jpeg;base64,' + base64.b64encode(jpeg).decode()
