import itertools

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from lada.data import ClipDraw, InfiniteSampler, sample_rng
from lada.errors import LadaError


def take(sampler, count):
    return list(itertools.islice(sampler, count))


@pytest.fixture
def on_ranks(monkeypatch):
    """Return a function that makes one sampler a rank."""

    def make(world_size, size=10, **options):
        samplers = []
        for rank in range(world_size):
            monkeypatch.setattr(
                'lada.data.sampler.get_dist_info', lambda rank=rank: (rank, world_size)
            )
            samplers.append(InfiniteSampler(range(size), seed=3, **options))
        return samplers

    return make


def test_each_epoch_is_a_permutation_of_its_own():
    draws = take(InfiniteSampler(range(50), seed=1), 150)
    epochs = [[draw.index for draw in draws[start : start + 50]] for start in (0, 50, 100)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert [draw.epoch for draw in draws] == [0] * 50 + [1] * 50 + [2] * 50


def test_order_is_that_of_seed_and_epoch_alone():
    order = np.random.Generator(np.random.Philox(np.random.SeedSequence((7, 1)))).permutation(5)
    assert take(InfiniteSampler(range(5), seed=7), 10)[5:] == [
        ClipDraw(int(index), 1) for index in order
    ]


def test_without_shuffling_the_order_is_the_datasets():
    assert [draw.index for draw in take(InfiniteSampler(range(3), shuffle=False, seed=0), 7)] == [
        0,
        1,
        2,
        0,
        1,
        2,
        0,
    ]


@pytest.mark.parametrize('start', [0, 1, 9, 10, 64, 997])
def test_skip_lands_where_the_uninterrupted_stream_would_be(start):
    whole = take(InfiniteSampler(range(10), seed=3), start + 25)
    sampler = InfiniteSampler(range(10), seed=3)
    sampler.skip(start)
    assert take(sampler, 25) == whole[start:]


@pytest.mark.parametrize('size', [1, 3, 10])
def test_ranks_share_one_stream(on_ranks, size):
    whole = take(on_ranks(1, size)[0], 24)
    for world_size in (2, 3, 4):
        streams = [take(sampler, 24 // world_size) for sampler in on_ranks(world_size, size)]
        assert [draw for row in zip(*streams, strict=True) for draw in row] == whole


def test_every_iteration_sees_the_same_set_for_any_number_of_processes(on_ranks):
    """Global batch 4 as 2 x 2, 1 x 4 and 4 x 1, each continuing where another stopped."""
    seen = {}
    for world_size in (1, 2, 4):
        per_rank = 4 // world_size
        samplers = on_ranks(world_size)
        for sampler in samplers:
            sampler.load_state_dict({'consumed': 12})
        streams = [take(sampler, 10 * per_rank) for sampler in samplers]
        seen[world_size] = [
            {draw for stream in streams for draw in stream[step * per_rank : (step + 1) * per_rank]}
            for step in range(10)
        ]
    assert seen[1] == seen[2] == seen[4]


def test_a_far_jump_draws_one_permutation(monkeypatch):
    sampler = InfiniteSampler(range(1000), seed=3)
    epochs = []
    order = InfiniteSampler._order
    monkeypatch.setattr(
        InfiniteSampler, '_order', lambda self, epoch: epochs.append(epoch) or order(self, epoch)
    )
    sampler.skip(10**12)
    assert take(sampler, 3)[0].epoch == 10**9
    assert epochs == [10**9]


class Indices(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, draw):
        return draw.index


def test_workers_that_fetch_ahead_leave_the_state_alone():
    sampler = InfiniteSampler(Indices(), seed=3)
    sampler.skip(4)
    loader = DataLoader(Indices(), batch_size=2, sampler=sampler, num_workers=2, prefetch_factor=4)
    batches = itertools.islice(loader, 3)
    expected = [draw.index for draw in take(sampler, 6)]
    assert [index for batch in batches for index in batch.tolist()] == expected
    assert sampler.state_dict() == {'consumed': 4}


def test_seed_is_drawn_when_none_is_given():
    assert InfiniteSampler(range(3)).seed >= 0


@pytest.mark.parametrize(
    'arguments, word', [(dict(dataset=[]), 'empty'), (dict(dataset=[1], seed=-1), 'negative')]
)
def test_what_cannot_be_sampled_is_refused(arguments, word):
    with pytest.raises(LadaError, match=word):
        InfiniteSampler(**arguments)
    with pytest.raises(LadaError, match='-5'):
        InfiniteSampler([1], seed=0).skip(-5)


def test_sample_randomness_depends_on_its_arguments_only():
    reference = np.random.Generator(np.random.Philox(np.random.SeedSequence((1, 2, 3)))).random(4)
    assert (sample_rng(1, 2, 3).random(4) == reference).all()
    others = [sample_rng(*key).random() for key in ((1, 2, 4), (1, 3, 3), (2, 2, 3))]
    assert len({reference[0], *others}) == 4
