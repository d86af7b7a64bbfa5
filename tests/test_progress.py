"""Progress in a log."""

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
