import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from lada.data import init_worker
from lada.engine import Runner
from lada.engine.loader import LoaderError, loader_errors, with_defaults
from lada.errors import LadaError


def build(**options):
    init_default_scope('lada')
    sampler = dict(type='DefaultSampler', shuffle=False)
    return Runner.build_dataloader(
        dict(dataset=[1, 2, 3], sampler=sampler, batch_size=1, **options)
    )


def test_what_a_config_leaves_open_is_filled_in_and_what_it_says_stays():
    filled = with_defaults(dict(num_workers=2))
    assert (
        filled['worker_init_fn'] == dict(type='init_lada_worker') and filled['prefetch_factor'] == 4
    )
    chosen = dict(
        num_workers=2,
        timeout=5,
        prefetch_factor=7,
        pin_memory=False,
        worker_init_fn=dict(type='other'),
        multiprocessing_context='spawn',
    )
    assert with_defaults(chosen) == chosen


def test_without_workers_there_is_nothing_to_wait_for():
    loader = build(num_workers=0, timeout=5, prefetch_factor=7, persistent_workers=True)
    assert list(loader) == [[1], [2], [3]]


def test_a_runner_builds_its_loaders_with_them():
    loader = build(num_workers=1, prefetch_factor=5, collate_fn=dict(type='pseudo_collate'))
    assert (
        loader.prefetch_factor == 5
        and loader.timeout > 0
        and loader.worker_init_fn.func is init_worker
    )
    assert len(list(loader)) == 3


class Busy(list):
    def busy_clips(self):
        return ['bikes.mp4-000001']


def dies(*_, **__):
    raise RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed.')


def while_a_config_is_formatted(monkeypatch):
    # MMEngine makes a SyntaxError of whatever its formatter raises, PyTorch's news of a worker's
    # death too.
    monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', dies)
    _ = Config(dict(a=1)).pretty_text


def while_an_error_is_explained(monkeypatch):
    try:
        dies()
    except RuntimeError as error:
        raise LadaError('visualizer: it does not start') from error


@pytest.mark.parametrize('moment', [while_a_config_is_formatted, while_an_error_is_explained])
def test_a_death_is_told_whatever_was_made_of_it(monkeypatch, moment):
    with (
        pytest.raises(LoaderError, match=r'killed by signal.*busy with bikes.mp4-000001'),
        loader_errors(Busy()),
        loader_errors(Busy()),
    ):
        moment(monkeypatch)


def test_other_errors_stay():
    with pytest.raises(ZeroDivisionError), loader_errors(Busy()):
        _ = 1 / 0
