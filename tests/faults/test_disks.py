"""Disks that refuse to take a checkpoint, and files that must not be loaded."""

import os
import shutil

import pytest
import torch
from harness import final_state, newest, same, write_config

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ('fault', 'said'), [('limit:4', 'File too large'), ('readonly:4', 'Permission denied')]
)
def test_a_checkpoint_that_cannot_be_written(tmp_path, clips, server, fault, said):
    config = write_config(tmp_path / 'run', clips)
    run = server.run(config, fault=fault)
    (tmp_path / 'run').chmod(0o755)
    assert run.status == 1, run.output
    last = run.output.strip().splitlines()[-1]
    assert last.startswith('error: checkpoint') and 'iter_4.pth' in last and said in last
    assert 'Traceback' not in run.output
    assert newest(tmp_path / 'run') == 2
    assert not list((tmp_path / 'run').glob('.*.tmp'))

    assert server.run(config).status == 0
    assert server.run(write_config(tmp_path / 'whole', clips)).status == 0
    whole, end = final_state(tmp_path / 'whole'), final_state(tmp_path / 'run')
    assert [key for key in whole if not same(whole[key], end[key])] == []


def test_the_folder_is_gone(tmp_path, clips, server):
    """Another program puts a file in the place of the checkpoints' folder."""
    extra = f"\ndefault_hooks['checkpoint']['out_dir'] = {str(tmp_path / 'out')!r}\n"
    run = server.run(write_config(tmp_path / 'run', clips, extra), fault='replace:4')
    assert run.status == 1
    assert 'error: checkpoint' in run.output.strip().splitlines()[-1]
    assert newest(tmp_path / 'out' / 'run.moved') == 2


def test_two_processes_end_cleanly(tmp_path, clips, server):
    runs = server.start_group(2, write_config(tmp_path / 'run', clips), fault='limit:4')
    assert [run.wait() for run in runs] == [1, 3], runs[1].output
    assert 'error: checkpoint' in runs[0].output
    assert newest(tmp_path / 'run') == 2


class Command:
    def __init__(self, trap):
        self.trap = trap

    def __reduce__(self):
        return os.system, (f'touch {self.trap}',)


def test_a_checkpoint_that_would_run_a_command(tmp_path, clips, server):
    config = write_config(tmp_path / 'run', clips)
    trap = tmp_path / 'trap'
    (tmp_path / 'run').mkdir()
    torch.save(
        dict(meta={}, message_hub={}, state_dict={}, x=Command(trap)),
        tmp_path / 'run' / 'iter_2.pth',
    )
    shutil.copy(tmp_path / 'run' / 'iter_2.pth', tmp_path / 'other.pth')
    other = tmp_path / 'other.pth'
    for options in ([], ['--resume-from', other], ['--no-resume', '--load-from', other]):
        run = server.run(config, *options)
        assert run.status == 1
        last = run.output.strip().splitlines()[-1]
        assert (
            last.startswith('error: ')
            and 'system' in last
            and 'convert-trusted-checkpoint.py' in last
        )
    assert not trap.exists()
