"""Names in pictures: in any script, never as boxes or question marks."""

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from lada import lettering
from lada.lettering import letter, write_text


def drawn(text: str, size: float = 20, width: int = 300) -> np.ndarray:
    """Where the line is dark, (40, width)."""
    picture = np.full((40, width, 3), 255, np.uint8)
    write_text(picture, text, 0, 30, size)
    return picture[..., 0] < 128


def columns(ink: np.ndarray) -> np.ndarray:
    """The ink without the blank columns around it."""
    filled = np.flatnonzero(ink.any(0))
    return ink[:, filled[0] : filled[-1] + 1]


@pytest.fixture
def fonts(monkeypatch):
    """Say which fonts the system has."""

    def say(*paths):
        lettering._find_families.cache_clear()
        lettering._ink.cache_clear()
        lettering._tell_once.cache_clear()
        monkeypatch.setattr(lettering, '_system_fonts', lambda: list(map(str, paths)))

    say()
    yield say
    lettering._find_families.cache_clear()
    lettering._ink.cache_clear()


def make_font(path, characters: str):
    """Write a font in which each character is a black square, an em wide."""
    pen = TTGlyphPen(None)
    for number, point in enumerate(((0, 0), (0, 1000), (1000, 1000), (1000, 0))):
        (pen.lineTo if number else pen.moveTo)(point)
    pen.closePath()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(['.notdef', 'square'])
    builder.setupCharacterMap({ord(c): 'square' for c in characters})
    builder.setupGlyf({'.notdef': TTGlyphPen(None).glyph(), 'square': pen.glyph()})
    builder.setupHorizontalMetrics({'.notdef': (1000, 0), 'square': (1000, 0)})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupOS2()
    builder.setupNameTable(dict(familyName=f'Squares of {path.stem}', styleName='Regular'))
    builder.setupPost()
    builder.save(path)
    return path


def test_scripts_of_the_own_font(fonts, capsys):
    """Letters join, and words go, as their script wants it, without any font of the system."""
    for name in ('Видео-000001', 'فيديو عربي.mp4-000001', 'Ελληνικά', 'x_$a^2$_y', '_a'):
        assert letter([name]).texts == ['\u200e' + name]
        assert columns(drawn(name)).shape[1] > 10
    assert columns(drawn('عربي')).shape[1] < columns(drawn('\u200c'.join('عربي'))).shape[1]
    aleph, both = columns(drawn('א')), columns(drawn('אב'))
    assert np.array_equal(both[:, -aleph.shape[1] :], aleph)
    # The ending is on the right, as in a list of files.
    ending, whole = columns(drawn('.mp4')), columns(drawn('فيديو.mp4'))
    assert (whole[:, -ending.shape[1] :] != ending).mean() < 0.05
    assert capsys.readouterr().err == ''


def test_other_scripts_come_from_the_fonts_that_have_them(fonts, tmp_path, capsys):
    broken = tmp_path / 'broken.ttf'
    broken.write_bytes(b'no font')
    fonts(broken, make_font(tmp_path / 'one.ttf', '中'), make_font(tmp_path / 'two.ttf', '文日'))
    assert letter(['a中', '日.mp4']) == (
        ['\u200ea中', '\u200e日.mp4'],
        ['DejaVu Sans', 'Squares of one', 'Squares of two'],
    )
    assert columns(drawn('中文')).mean() > 0.45  # two full squares, 20 of 40 rows high
    assert columns(drawn('ab')).mean() < 0.2
    assert capsys.readouterr().err == ''


def test_what_no_font_has_is_escaped_and_said_once(fonts, capsys):
    assert letter(['中a', '中文 b']).texts == ['\u200e\\u4e2da', '\u200e\\u4e2d\\u6587 b']
    assert np.array_equal(drawn('文'), drawn('\\u6587'))
    errors = capsys.readouterr().err
    assert errors.count('\n') == 1 and 'apt install' in errors


def test_bytes_and_control_characters_are_escaped_without_a_word(fonts, capsys):
    assert letter(['a\udc80b\nc\td']).texts == ['\u200ea\\udc80b\\nc\\td']
    assert capsys.readouterr().err == ''


def test_text_stays_inside(fonts):
    picture = np.full((30, 50, 3), 255, np.uint8)
    write_text(picture, 'WWWWWWWW', 10, 3, 20, width=15)
    write_text(picture, 'WWWWWWWW', 40, 29, 20)
    dark = (picture < 200).any(2)
    assert dark[:5, 10:25].any() and dark[-5:, 40:].any()
    assert not dark[:, :10].any() and not dark[:5, 25:].any()
