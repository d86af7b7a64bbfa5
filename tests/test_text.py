"""Numbers, names and errors in words."""

import pytest

from lada.text import counted, human_bytes, human_seconds, one_line, printable, reason, some


def test_counted():
    assert [counted(n, 'clip') for n in (0, 1, 2, 12_000)] == [
        '0 clips',
        '1 clip',
        '2 clips',
        '12,000 clips',
    ]


def test_some_of_many_names():
    assert some(['a', 'b\n']) == 'a, b\\n'
    assert some(range(7), 3) == '0, 1, 2 and 4 more'


def test_names_that_would_break_a_line_are_escaped():
    assert printable('a\nb\x1b[1m\udcff') == 'a\\nb\\x1b[1m\\udcff'
    assert printable('Übung 1.mp4') == 'Übung 1.mp4'


@pytest.mark.parametrize(
    ('size', 'text'), [(999, '999 bytes'), (1_500, '1.5 kB'), (2 * 10**15, '2000.0 TB')]
)
def test_bytes(size, text):
    assert human_bytes(size) == text


@pytest.mark.parametrize(('seconds', 'text'), [(0, '1 s'), (119, '119 s'), (120, '2 min')])
def test_seconds(seconds, text):
    assert human_seconds(seconds) == text


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ValueError('a\n  b'), 'a b'),
        (ValueError(), 'ValueError'),
        (OSError(28, 'No space left on device', 'x'), "[Errno 28] No space left on device: 'x'"),
        (
            RuntimeError('Caught X.\nOriginal Traceback (most recent call last):\n\nX: bad clip'),
            'bad clip',
        ),
    ],
)
def test_a_whole_message_on_one_line(error, text):
    assert one_line(error) == text


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (OSError(28, 'No space left on device', 'x'), 'No space left on device'),
        (ValueError('what\nadvice'), 'what'),
        (ValueError(), 'ValueError'),
        (ValueError('x' * 200), 'x' * 120),
    ],
)
def test_the_reason_alone(error, text):
    assert reason(error) == text
