"""Other numbers of processes, and launchers that start them again."""

import json
import shutil
from pathlib import Path

import pytest
from harness import final_state, newest, same, torchrun, write_config

pytestmark = pytest.mark.slow


def seen(path, ranks):
    """Return {iteration: sorted clips}, as recorded last."""
    found = {}
    for rank in range(ranks):
        per_rank = {}
        for line in Path(f'{path}.{rank}').read_text().splitlines():
            number, names = json.loads(line)
            per_rank[number] = names
        for number, names in per_rank.items():
            found[number] = sorted(found.get(number, []) + names)
    return found


def test_every_iteration_sees_the_same_samples(tmp_path, clips, server):
    whole = tmp_path / 'whole'
    runs = server.start_group(
        2, write_config(whole, clips, batch_size=2), SAMPLES=str(tmp_path / 'w')
    )
    assert [run.wait() for run in runs] == [0, 0], runs[0].output
    reference = seen(tmp_path / 'w', 2)
    assert sorted(reference) == list(range(1, 9)) and all(
        len(names) == 4 for names in reference.values()
    )

    for run in server.start_group(
        2, write_config(tmp_path / 'first', clips, batch_size=2), fault='forward:6'
    ):
        run.wait()
    at = newest(tmp_path / 'first')
    assert at >= 2
    for processes, batch_size in ((1, 4), (4, 1)):
        name = f'on{processes}'
        shutil.copytree(tmp_path / 'first', tmp_path / name)
        config = write_config(tmp_path / name, clips, batch_size=batch_size)
        samples = str(tmp_path / f's{processes}')
        runs = (
            server.start_group(processes, config, SAMPLES=samples)
            if processes > 1
            else [server.start(config, SAMPLES=samples)]
        )
        assert [run.wait() for run in runs] == [0] * processes, runs[0].output
        assert (
            '2 processes × batch 2 became' in runs[0].output
            and 'same samples as before' in runs[0].output
        )
        assert seen(samples, processes) == {
            number: reference[number] for number in range(at + 1, 9)
        }


def test_torchrun_restarts_into_a_resume(tmp_path, clips, server):
    """Rank 1 is killed; the launcher starts both again with the same command line, which says
    --no-resume.
    """
    runs = server.start_group(2, write_config(tmp_path / 'whole', clips))
    assert [run.wait() for run in runs] == [0, 0]
    process = torchrun(
        write_config(tmp_path / 'run', clips),
        '--standalone',
        '--nproc-per-node=2',
        '--max-restarts=1',
        start=['--no-resume'],
        FAULT='rank:5',
    )
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert 'training starts afresh' in output and 'training continues from iteration' in output
    whole, end = final_state(tmp_path / 'whole'), final_state(tmp_path / 'run')
    assert [key for key in whole if not same(whole[key], end[key])] == []
