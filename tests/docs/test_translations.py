"""The Chinese pages say what the English ones say, as far as that can be compared."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.test_markdown import ROOT, anchors, local_links, tokens

CHINESE = ROOT / 'docs' / 'zh-CN'
ORIGINALS = [
    ROOT / 'README.md',
    ROOT / 'VALIDATION_SET_GUIDE.md',
    ROOT / 'docs' / 'index.md',
    *sorted(ROOT.glob('docs/guides/*.md')),
]
PAGES = pytest.mark.parametrize(
    'original', ORIGINALS, ids=[page.relative_to(ROOT).as_posix() for page in ORIGINALS]
)
NUMBER = r'\d+(?:[.,]\d+)*'


class Place(NamedTuple):
    """What a link leads to: a file, and the how-manieth of its headings, 0 for none."""

    page: Path
    heading: int


def translated(page: Path) -> Path:
    """Where the Chinese version of an English page belongs."""
    inside = page.parent == ROOT / 'docs' / 'guides'
    return (CHINESE / 'guides' if inside else CHINESE) / page.name


def places(page: Path) -> set[Place]:
    """What the links of a page lead to; those from one language to the other are left out."""
    found = set()
    for linked, anchor in local_links(page):
        if CHINESE in linked.parents and CHINESE not in page.parents or translated(linked) == page:
            continue
        found.add(Place(linked, [*anchors(linked)].index(anchor) + 1 if anchor else 0))
    return found


def in_chinese(place: Place) -> Place:
    return place._replace(page=translated(place.page)) if place.page in ORIGINALS else place


def without_comments(code: str) -> str:
    return re.sub(r'\s*(?<!\S)#.*', '', code)


def rows(page: Path) -> list[list[str]]:
    """The cells of all tables of a page."""
    found: list[list[str]] = []
    for token in tokens(page):
        if token.type == 'tr_open':
            found.append([])
        elif token.type in ('td_open', 'th_open'):
            found[-1].append('')
        elif token.type == 'inline' and found and found[-1] and not found[-1][-1]:
            found[-1][-1] = token.content
        elif token.type == 'table_close':
            found.append([])
    return found


@PAGES
def test_there_is_one_that_names_the_original_first(original):
    page = translated(original)
    assert page.is_file(), f'no Chinese version: {page.relative_to(ROOT)}'
    first = page.read_text(encoding='utf-8').splitlines()[0]
    link = re.fullmatch(r'\[English\]\((\S+)\)：两者不一致时，以英文版为准。', first)
    assert link, f'no link to the English version, which counts where they differ: {first}'
    assert (page.parent / link[1]).resolve() == original


@PAGES
def test_headings_have_the_same_levels(original):
    levels = [
        [token.tag for token in tokens(page) if token.type == 'heading_open']
        for page in (original, translated(original))
    ]
    assert levels[0] == levels[1]


@PAGES
def test_code_is_the_same_apart_from_comments(original):
    blocks = [
        [(token.info, without_comments(token.content)) for token in tokens(page) if token.type == 'fence']
        for page in (original, translated(original))
    ]
    assert blocks[0] == blocks[1]


@PAGES
def test_names_are_the_same(original):
    """Commands, options, keys and files in the text: neither left out nor misspelled."""
    named = [
        {token.content for token in tokens(page) if token.type == 'code_inline'}
        for page in (original, translated(original))
    ]
    assert named[0] == named[1]


@PAGES
def test_tables_have_the_same_shape_and_figures(original):
    figures = [
        [[sorted(re.findall(NUMBER, cell)) for cell in row] for row in rows(page)]
        for page in (original, translated(original))
    ]
    assert figures[0] == figures[1]


@PAGES
def test_no_figure_is_left_out(original):
    figures = [
        {
            number
            for token in tokens(page)
            if token.type == 'text'
            for number in re.findall(NUMBER, token.content)
        }
        for page in (original, translated(original))
    ]
    assert figures[0] <= figures[1], f'missing: {sorted(figures[0] - figures[1])}'


@PAGES
def test_links_lead_to_the_same_places_in_chinese(original):
    page = translated(original)
    expected = {in_chinese(place) for place in places(original)}
    found = places(page)
    assert not expected - found, f'missing: {expected - found}'
    # A page that there is in Chinese alone may be linked besides.
    further = {place for place in found - expected if place.page.parent.parent != CHINESE}
    assert not further, f'not in the English version: {further}'
