"""SIGKILL at random moments: the same call ends as if undisturbed, --undo as if nothing had
been.
"""

import random
import shutil

import pytest
from fake_clips import snapshot, write_dataset

SPLIT = 'split-train-val-dataset.py'
SOURCES = {'a.mp4': 4, 'b.mp4': 4, 'c.mp4': 4}

# Kills the process, as with kill -9, just before or just after its n-th call that changes the file
# system.
KILL_AT = """
import os, signal
left = {count}
def deadly(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0 and {before}:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **kwargs)
        finally:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return call
for name in ('rename', 'replace', 'link', 'symlink', 'unlink', 'mkdir', 'rmdir', 'fsync'):
    setattr(os, name, deadly(getattr(os, name)))
"""
MODES = [['move'], ['copy', '--remove-from-train'], ['hardlink'], ['copy']]


def kill(script, call, count, before):
    """Run a call that is killed; returns whether it was, rather than finishing first."""
    result = script(*call, prelude=KILL_AT.format(count=count, before=before))
    assert result.returncode in (0, -9), result.stderr
    return result.returncode == -9


@pytest.mark.parametrize('number', range(4))
def test_killed_split_is_finished_or_undone(tmp_path, script, number):
    rng = random.Random(number)
    mode = MODES[number % len(MODES)]
    pristine = write_dataset(tmp_path / 'pristine', SOURCES)
    shutil.copytree(pristine, tmp_path / 'one' / 'set')
    root, val = tmp_path / 'one' / 'set', tmp_path / 'one' / 'set_val'
    call = [SPLIT, '--src-root', root, '--val-size', '4', '--mode', *mode, '--yes']
    original = snapshot(root)
    assert script(*call).returncode == 0
    undisturbed = snapshot(root, val)
    assert script(SPLIT, '--src-root', root, '--undo', '--yes').returncode == 0

    assert kill(script, call, rng.randint(1, 20), rng.random() < 0.5)
    shutil.copytree(tmp_path / 'one', tmp_path / 'two', symlinks=True)
    assert script(*call).returncode == 0
    assert snapshot(root, val) == undisturbed
    # The same moment, taken back instead; the undo is killed as well.
    root, val = tmp_path / 'two' / 'set', tmp_path / 'two' / 'set_val'
    undo = [SPLIT, '--src-root', root, '--undo', '--yes']
    result = script(*undo, prelude=KILL_AT.format(count=rng.randint(1, 12), before=False))
    if result.returncode == -9:
        script(*undo)  # may say that nothing is left to undo
    assert snapshot(root) == original and not val.exists()


def test_killed_undo_of_a_finished_split(tmp_path, script):
    root = write_dataset(tmp_path / 'set', SOURCES)
    original = snapshot(root)
    call = [SPLIT, '--src-root', root, '--val-size', '4', '--mode', 'move', '--yes']
    undo = [SPLIT, '--src-root', root, '--undo', '--yes']
    assert script(*call).returncode == 0
    assert kill(script, undo, 6, False)
    refused = script(*call)
    assert refused.returncode == 1 and 'an undo of a split was interrupted' in refused.stderr
    assert script(*undo).returncode == 0
    assert snapshot(root) == original and not (tmp_path / 'set_val').exists()


def test_other_arguments_do_not_finish_an_interrupted_split(tmp_path, script):
    root = write_dataset(tmp_path / 'set', SOURCES)
    call = [SPLIT, '--src-root', root, '--val-size', '4', '--mode', 'move', '--yes']
    assert kill(script, call, 12, False)
    other = script(*call[:4], '8', *call[5:])
    assert other.returncode == 1
    assert (
        '--val-size 4 --seed 42 --group-by source --mode move, or take it back with --undo'
        in other.stderr
    )
    finish = script(*call)
    assert finish.returncode == 0 and 'finishing an interrupted split' in finish.stdout


def test_extension_killed_and_undone_keeps_the_first_split(tmp_path, script):
    root = write_dataset(tmp_path / 'set', SOURCES)
    val = tmp_path / 'set_val'
    call = [SPLIT, '--src-root', root, '--val-size', '4', '--mode', 'move', '--yes']
    assert script(*call).returncode == 0
    write_dataset(root, {'d.mp4': 2, 'e.mp4': 2})
    first = snapshot(root, val)
    call = [SPLIT, '--src-root', root, '--val-size', '6', '--mode', 'move', '--yes', '--extend']
    assert kill(script, call, 7, False)
    assert snapshot(root, val) != first
    assert script(SPLIT, '--src-root', root, '--undo', '--yes').returncode == 0
    assert snapshot(root, val) == first
