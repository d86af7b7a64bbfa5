"""Line and point charts as inline SVG, readable in light and dark and on a phone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

COLOURS = ('#2f6fde', '#d9622b', '#2c9a5b', '#a04bc4', '#c09300', '#c2334d', '#1497a5', '#7a6a58')
WIDTH, HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 34, 56


@dataclass
class Series:
    """Points of one colour, joined by a line unless ``line`` is false."""

    name: str
    points: Sequence[tuple[float, float]]
    line: bool = True
    titles: Sequence[str] = field(default_factory=tuple)
    """What each point says when pointed at."""
    colour: str = ''
    """One of :data:`COLOURS`; by default the next."""


def chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    *,
    log_y: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """Return an SVG element. Points that are not finite are left out.

    Args:
        series: what to draw.
        x_label: text below.
        y_label: text above the vertical axis.
        log_y: a logarithmic vertical axis; points that are not positive are left out.
        marks: vertical lines, each its x and a text that it shows when pointed at.
    """
    shown = [
        (
            index,
            item,
            [
                (number, x, y)
                for number, (x, y) in enumerate(item.points)
                if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log_y)
            ],
        )
        for index, item in enumerate(series)
    ]
    points = [(x, y) for _, _, kept in shown for _, x, y in kept]
    if not points:
        return '<p class="muted">No data.</p>'
    xs, ys = zip(*points, strict=True)
    x_ticks, x_low, x_high = _ticks(min(xs), max(xs))
    y_ticks, y_low, y_high = _log_ticks(min(ys), max(ys)) if log_y else _ticks(min(ys), max(ys))

    def place(x, y):
        if log_y:
            share = math.log(y / y_low) / math.log(y_high / y_low)
        else:
            share = (y - y_low) / (y_high - y_low)
        return (
            _LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM),
        )

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(y_label)} over {escape(x_label)}">'
    ]
    for tick in y_ticks:
        y = place(x_low, tick)[1]
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_tick(tick)}</text>'
        )
    for tick in x_ticks:
        x = place(tick, y_low)[0]
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - _BOTTOM + 24}"'
            f' text-anchor="middle">{_tick(tick)}</text>'
        )
    for x, text in marks:
        at = place(x, y_low)[0]
        if _LEFT <= at <= WIDTH - _RIGHT:
            parts.append(
                f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}"'
                f' y2="{HEIGHT - _BOTTOM}"><title>{escape(text)}</title></line>'
            )
    parts.append(
        f'<text x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 6}"'
        f' text-anchor="middle">{escape(x_label)}</text><text x="4" y="18">{escape(y_label)}</text>'
    )
    for index, item, kept in shown:
        colour = _colour(index, item)
        placed = [(number, *place(x, y), x, y) for number, x, y in kept]
        if item.line and len(placed) > 1:
            path = ' '.join(f'{px:.1f},{py:.1f}' for _, px, py, _, _ in placed)
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
        if not item.line or len(placed) <= 60:
            for number, px, py, x, y in placed:
                title = item.titles[number] if item.titles else f'{item.name}: {_tick(x)}, {y:.4g}'
                parts.append(
                    f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}">'
                    f'<title>{escape(title)}</title></circle>'
                )
    parts.append('</svg>')
    legend = ''.join(
        f'<span><i style="background:{_colour(index, item)}"></i>{escape(item.name)}</span>'
        for index, item, _ in shown
    )
    return f'<figure>{"".join(parts)}<figcaption class="legend">{legend}</figcaption></figure>'


def _colour(index: int, series: Series) -> str:
    return series.colour or COLOURS[index % len(COLOURS)]


def _ticks(low: float, high: float) -> tuple[list[float], float, float]:
    """Return round numbers from at or below ``low`` to at or above ``high``, and the first and last
    of them.
    """
    span = high - low or abs(high) or 1.0
    power = 10 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 5)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = [number * step for number in range(first, last + 1)]
    return ticks, ticks[0], ticks[-1]


def _log_ticks(low: float, high: float) -> tuple[list[float], float, float]:
    steps = [
        factor * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for factor in (1, 2, 5)
    ]
    first = max(number for number, step in enumerate(steps) if step <= low * 1.0000001)
    last = next(
        (number for number, step in enumerate(steps) if step >= high * 0.9999999), len(steps) - 1
    )
    ticks = steps[first : max(last, first + 1) + 1]
    thin = [tick for tick in ticks if len(ticks) <= 8 or str(tick).strip('0.').startswith('1')]
    return thin, ticks[0], ticks[-1]


def _tick(value: float) -> str:
    return f'{value:.0f}' if value == round(value) and abs(value) < 1e7 else f'{value:.4g}'
