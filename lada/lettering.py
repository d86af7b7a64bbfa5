"""Text in pictures: names in any script, with the fonts that there are.

Matplotlib's own font has Latin, Greek, Cyrillic, Arabic and Hebrew; what else a name needs is
looked for among the system's fonts. Characters that no font has are written as escapes, and a line
on stderr says so once.
"""

import math
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

OWN_FAMILY = 'DejaVu Sans'
_FIRST = 'notosanscjk', 'notosans', 'wqy', 'droidsansfallback'
"""Beginnings of files' names, in lower case: fonts to look at before all others."""
_JOINERS = '\u200c\u200d'
_LEFT_TO_RIGHT = '\u200e'
"""Names read from the left, as in a list of files, whatever script they begin with."""


class Lettering(NamedTuple):
    """Texts as Matplotlib can draw them.

    Attributes:
        texts: what to draw.
        families: value of ``font.family`` for all of them.
    """

    texts: list[str]
    families: list[str]


def letter(texts: Iterable[str]) -> Lettering:
    """Find the fonts for some texts, and write what they do not have as escapes."""
    texts = list(texts)
    wanted = {c for text in texts for c in text if c.isprintable() or c in _JOINERS}
    families, lacking = _find_families(frozenset(wanted))
    if lacking:
        _tell_once()
    drawn = wanted - lacking
    return Lettering(
        [
            _LEFT_TO_RIGHT + ''.join(c if c in drawn else _escaped(c) for c in text)
            for text in texts
        ],
        families,
    )


def write_text(
    picture: np.ndarray, text: str, x: int, y: int, size: float, width: int | None = None
) -> None:
    """Write a line of dark text onto a picture, in place.

    Args:
        picture: (H, W, 3) uint8.
        text: in any script.
        x, y: where the text's baseline begins, in pixels.
        size: of the letters: pixels of an em.
        width: pixels after which the text is cut; at the picture's edge unless given.
    """
    room = picture.shape[1] - x
    ink = _ink(text, size, room if width is None else min(width, room))
    above = round(len(ink) * 0.75)
    top, bottom = max(y - above, 0), min(y - above + len(ink), len(picture))
    ink = ink[top - y + above : bottom - y + above, :, None]
    region = picture[top:bottom, x : x + ink.shape[1]]
    region[:] = np.rint(region * (1 - ink) + 30 * ink)


@lru_cache(64)
def _ink(text: str, size: float, width: int) -> np.ndarray:
    """Return how much of each pixel a line of text covers, float (H, W) in [0, 1]; its baseline is
    at three quarters of the height.
    """
    # Imported here: it takes half a second.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    (text,), families = letter([text])
    height = math.ceil(2 * size)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    figure.text(
        0,
        1 - round(height * 0.75) / height,
        text,
        family=families,
        size=size * 0.72,
        parse_math=False,
    )
    canvas.draw()
    return 1 - np.asarray(canvas.buffer_rgba())[..., 0] / 255


@cache
def _find_families(wanted: frozenset[str]) -> tuple[list[str], set[str]]:
    """Return the families that have the wanted characters between them, and those that none has."""
    families, lacking = [OWN_FAMILY], wanted - _characters(_own_font())
    for path in _system_fonts() if lacking else ():
        found = lacking & _characters(path)
        if found:
            from matplotlib.font_manager import fontManager, get_font

            fontManager.addfont(path)
            families.append(get_font(path).family_name)
            lacking = lacking - found
        if not lacking:
            break
    return families, set(lacking)


def _own_font() -> str:
    from matplotlib.font_manager import findfont

    return str(findfont(OWN_FAMILY))


@cache
def _system_fonts() -> list[str]:
    """Return the files of the system's fonts, likely ones first."""
    from matplotlib.font_manager import findSystemFonts

    def rank(path: str) -> tuple[int, str]:
        name = path.replace('\\', '/').rpartition('/')[2].lower()
        places = [place for place, start in enumerate(_FIRST) if name.startswith(start)]
        return (places[0] if places else len(_FIRST)), path

    return sorted(map(str, findSystemFonts()), key=rank)


@cache
def _characters(path: str) -> frozenset[str]:
    """Return the characters of an upright font of usual weight; none of another file."""
    from matplotlib.font_manager import get_font

    try:
        font = get_font(path)
        if not font.scalable or font.style_flags:
            return frozenset()
        return frozenset(map(chr, font.get_charmap()))
    except (OSError, RuntimeError, UnicodeError):
        return frozenset()


def _escaped(character: str) -> str:
    return character.encode('unicode_escape').decode()


@cache
def _tell_once() -> None:
    print(
        'note: no font of this machine has some characters of names, pictures show them as escapes;'
        ' install one, for example with apt install fonts-noto-core fonts-noto-cjk',
        file=sys.stderr,
    )
