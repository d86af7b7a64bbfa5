import json

import pytest

from lada.engine.run_state import RUN_STATE, run_state
from lada.errors import JobError, LadaError


def said(folder):
    return json.loads((folder / RUN_STATE).read_text())


def test_a_run_and_its_end(tmp_path):
    with run_state(tmp_path / 'run') as state:
        assert said(tmp_path / 'run')['state'] == 'running'
        state.update(state='finished', iteration=8)
    found = said(tmp_path / 'run')
    assert (found['state'], found['iteration']) == ('finished', 8)
    assert found['pid'] > 0 and found['host'] and found['time'] > 0


@pytest.mark.parametrize(
    ('error', 'state', 'status'),
    [
        (KeyboardInterrupt(), 'stopped', None),
        (LadaError('no clips'), 'failed', 1),
        (OSError('no room'), 'failed', 1),
        (JobError('rank 1 has died'), 'failed', 3),
        (KeyError('a'), 'failed', 3),
    ],
)
def test_an_error(tmp_path, error, state, status):
    with pytest.raises(type(error)), run_state(tmp_path):
        raise error
    found = said(tmp_path)
    assert (found['state'], found.get('status')) == (state, status)


def test_a_state_that_cannot_be_written_hides_no_error(tmp_path):
    with pytest.raises(LadaError, match='first'), run_state(tmp_path / 'run'):
        (tmp_path / 'run' / RUN_STATE).unlink()
        (tmp_path / 'run' / RUN_STATE).mkdir()
        raise LadaError('first')
