"""The frame of the HTML reports: one file that needs nothing else, light or dark, wide or
narrow.
"""

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files


@cache
def _text(name: str) -> str:
    return files('lada.evaluation').joinpath(name).read_text(encoding='utf-8')


def page(title: str, *sections: str, style: str = '', script: str = '') -> str:
    """Return a whole HTML document.

    Args:
        title: text.
        *sections: HTML.
        style: CSS of this page beside that of all.
        script: JavaScript, the same.
    """
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
        f'<style>{_text("page.css")}{style}</style>'
    )
    body = '\n'.join(
        [f'<h1>{escape(title)}</h1>', *sections, f'<script>{_text("page.js")}{script}</script>']
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str | tuple[str, float]]],
    sortable: bool = False,
) -> str:
    """Return a table.

    Args:
        header: one title a column.
        rows: a cell is text, or text and the number by which it sorts (``nan``: last).
        sortable: a click on a title sorts by that column.
    """

    def cell(value):
        if isinstance(value, tuple):
            text, number = value
            key = '' if number != number else format(number, '.6g')
            return f'<td data-value="{key}">{escape(text)}</td>'
        return f'<td>{escape(value)}</td>'

    heads = ''.join(
        f'<th><button>{escape(name)}</button></th>' if sortable else f'<th>{escape(name)}</th>'
        for name in header
    )
    body = '\n'.join(f'<tr>{"".join(map(cell, row))}</tr>' for row in rows)
    kind = ' class="sortable"' if sortable else ''
    head = f'<thead><tr>{heads}</tr></thead>'
    return f'<div class="scroll"><table{kind}>{head}\n<tbody>{body}</tbody></table></div>'
