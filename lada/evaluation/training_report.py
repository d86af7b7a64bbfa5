"""Curves of training runs as a picture and as an HTML page."""

import io
import math
from html import escape
from itertools import cycle

from lada.evaluation.charts import COLOURS, Series, chart
from lada.evaluation.page import page, table
from lada.evaluation.training_log import Advice, Curve, TrainingLog, advise
from lada.lettering import letter

PANELS = (
    ('loss', 'training', ('loss',), True),
    ('learning rate', 'training', ('base_lr', 'lr'), True),
    ('gain in the mosaic (dB)', 'validation', ('mosaic/gain',), False),
    ('PSNR in the mosaic (dB)', 'validation', ('mosaic/psnr_model', 'PSNR_mosaic'), False),
    ('PSNR of the frame (dB)', 'validation', ('PSNR', 'mosaic/frame_psnr_model'), False),
    ('SSIM in the mosaic', 'validation', ('mosaic/ssim_model', 'SSIM_mosaic'), False),
    ('SSIM of the frame', 'validation', ('SSIM', 'mosaic/frame_ssim_model'), False),
    ('seam (levels)', 'validation', ('mosaic/seam_model',), False),
    ('warping error (levels)', 'validation', ('mosaic/warp_model',), False),
    ('flicker (levels)', 'validation', ('mosaic/flicker_model',), False),
    ('LPIPS', 'validation', ('mosaic/lpips_model',), False),
    ('DISTS', 'validation', ('mosaic/dists_model',), False),
    ('VMAF', 'validation', ('mosaic/vmaf_model',), False),
)
"""Title, which curves, the first of these names that a run has, logarithmic."""
BASELINES = {'_input': '#98a2b3', '_bicubic': '#667085', '_consistent': '#344054'}
"""What stands in place of ``_model`` in the names of what there is to beat, and its colour."""


def to_html(logs: list[TrainingLog]) -> str:
    """Return one page with all runs overlaid."""
    cards = ''.join(
        f'<div class="card">{escape(log.name)}<b>{_state(advice)}</b>'
        f'<span class="muted">{escape(advice.text)}</span>'
        f'<span class="muted">{escape(log.best)}</span></div>'
        for log, advice in ((log, advise(log)) for log in logs)
    )
    charts = []
    for title, series, log_scale, marks in _panels(logs):
        curves = [Series(name, curve.points, colour=colour) for name, curve, colour in series]
        charts.append(
            f'<div><h2>{escape(title)}</h2>'
            + chart(curves, 'iteration', title, log_y=log_scale, marks=marks)
            + '</div>'
        )
    names = sorted({name for log in logs for name in log.validation})
    rows = [[name, *[_last(log.validation.get(name)) for log in logs]] for name in names]
    last = (
        '<h2>Last validation</h2>' + table(['', *[log.name for log in logs]], rows) if names else ''
    )
    note = '<p class="muted">Dashed lines: the run was continued there by another process.</p>'
    return page(
        'Training',
        f'<div class="cards">{cards}</div>',
        f'<div class="two">{"".join(charts)}</div>',
        note,
        last,
    )


def to_png(logs: list[TrainingLog]) -> bytes:
    """Return the same curves as a PNG picture."""
    # Imported here: MMEngine brings it along, and nothing else in Lada needs it, and it takes time.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = list(_panels(logs))
    names = list(dict.fromkeys(name for _, series, *_ in panels for name, _, _ in series))
    texts, families = letter(names)
    labels = dict(zip(names, texts, strict=True))
    rows = max(1, math.ceil(len(panels) / 2))
    figure = Figure(figsize=(12, 3.6 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    for number, (title, series, log_scale, marks) in enumerate(panels, 1):
        axes = figure.add_subplot(rows, 2, number)
        for name, curve, colour in series:
            marker = 'o' if len(curve.steps) <= 60 else None
            axes.plot(
                curve.steps,
                curve.values,
                label=labels[name],
                color=colour,
                marker=marker,
                markersize=3,
            )
        for step, _ in marks:
            axes.axvline(step, color='gray', linestyle='--', linewidth=0.8)
        axes.set_title(title)
        axes.set_xlabel('iteration')
        if log_scale:
            axes.set_yscale('log')
        axes.grid(alpha=0.3)
        for text in axes.legend(prop={'family': families, 'size': 'small'}).get_texts():
            text.set_parse_math(False)  # a dollar in a run's name begins no formula
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=110)
    return buffer.getvalue()


def _panels(logs: list[TrainingLog]):
    """Yield (title, [(name, curve, colour)], logarithmic, marks) of each panel for which a run has
    values.
    """
    marks = [
        (step, f'{log.name} resumed after iteration {step}') for log in logs for step in log.resumes
    ]
    for title, kind, names, log_scale in (*PANELS, *_other_scores(logs)):
        series = []
        for log, colour in zip(logs, cycle(COLOURS), strict=False):
            curves = getattr(log, kind)
            name = next((name for name in names if name in curves), None)
            if name is not None:
                series.append((log.name, curves[name], colour))
        if not series:
            continue
        # What there is to beat does not depend on the run when all use the same clips.
        found = {
            curve: log.validation[curve]
            for log in reversed(logs)
            for name in names
            for curve in (
                name.replace('_model', baseline)
                for baseline in BASELINES
                if name.endswith('_model')
            )
            if curve in log.validation
        }
        for name, curve in sorted(found.items(), reverse=True):
            _, mark, baseline = name.rpartition('_')
            series.append((baseline, curve, BASELINES[mark + baseline]))
        yield title, series, log_scale, marks


def _other_scores(logs: list[TrainingLog]) -> list[tuple[str, str, tuple[str, ...], bool]]:
    """Return a panel for each score of ``MosaicGain`` that :data:`PANELS` do not show."""
    shown = {name for _, _, names, _ in PANELS for name in names}
    logged = dict.fromkeys(name for log in logs for name in log.validation)
    return [
        (name.removeprefix('mosaic/').removesuffix('_model'), 'validation', (name,), False)
        for name in logged
        if name.startswith('mosaic/') and name.endswith('_model') and name not in shown
    ]


def _state(advice: Advice) -> str:
    words = {
        'improving': 'still improving',
        'flat': 'flat',
        'overfitting': 'overfitting',
        'worsening': 'getting worse',
        'unknown': 'too early to tell',
    }[advice.state]
    return words if advice.since is None else f'{words} since {advice.since}'


def _last(curve: Curve | None) -> str:
    return '-' if curve is None or not curve.values else f'{curve.values[-1]:.4g}'
