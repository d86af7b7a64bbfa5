"""Progress in a log and on a terminal."""

import io
import sys

from lada import progress


def test_a_line_now_and_then_where_there_is_no_terminal(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    with progress.Progress('restoring', 'frame', 100) as bar:
        for _ in range(100):
            now[0] += 1
            bar.update()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f'restoring: {count} of 100 frames, 1.00 frames/s' for count in (30, 60, 90)]


def test_words_of_its_own_and_no_total(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    with progress.Progress(
        'cutting', 'file', None, lambda done, seconds: f'{done * 7} clips'
    ) as bar:
        bar.update()
        now[0] = 30
        bar.show()
    assert capsys.readouterr().err == 'cutting: 1 file, 7 clips\n'


def test_a_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr('sys.stderr', Terminal())
    with progress.Progress('cutting', 'file', 2, lambda done, seconds: f'{done * 7} clips') as bar:
        bar.update()
        bar.update()
    assert 'cutting: 100%' in (text := sys.stderr.getvalue())
    assert '2/2 files [' in text and '14 clips]' in text
