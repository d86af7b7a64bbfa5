"""Finding sound checkpoints, and fitting only what fits."""

import random

import pytest
import torch
from torch import nn

from lada.checkpoints.finding import checkpoint_at, checkpoint_of_run, find_checkpoint
from lada.checkpoints.fitting import fit_state_dict, load_networks
from lada.checkpoints.reading import damage_of, load_training_checkpoint
from lada.errors import LadaError


def save(path, value=1.0):
    torch.save(
        {'meta': {}, 'message_hub': {}, 'state_dict': {'w': torch.full((64, 64), value)}}, path
    )
    return path


def test_newest_by_iteration_not_by_name(tmp_path):
    for step in (9, 10, 100):
        save(tmp_path / f'iter_{step}.pth')
    save(tmp_path / 'best_PSNR_iter_900.pth')
    assert find_checkpoint(tmp_path) == (tmp_path / 'iter_100.pth', {})


def test_a_run_stands_for_its_best_checkpoint_or_else_its_newest(tmp_path):
    with pytest.raises(LadaError, match='no checkpoint in'):
        checkpoint_of_run(tmp_path)
    for name in (
        'iter_30.pth',
        'best_PSNR_iter_20.pth',
        'best_mosaic_gain_iter_5.pth',
        'best_mosaic_gain_iter_10.pth',
    ):
        path = save(tmp_path / name)
        assert checkpoint_of_run(tmp_path) == path
    path.write_bytes(b'cut')
    assert checkpoint_of_run(tmp_path).name == 'best_mosaic_gain_iter_5.pth'
    assert checkpoint_at(tmp_path) == str(checkpoint_of_run(tmp_path))
    for name in (str(tmp_path / 'other.pth'), 'https://weights.invalid/net.pth'):
        assert checkpoint_at(name) == name


def test_a_hint_leads_to_another_folder_but_need_not_be_newest(tmp_path):
    work, out = tmp_path / 'work', tmp_path / 'out'
    work.mkdir()
    out.mkdir()
    old, new = save(out / 'iter_5.pth'), save(out / 'iter_6.pth')
    (work / 'last_checkpoint').write_text(str(old))
    assert find_checkpoint(work)[0] == new


@pytest.mark.parametrize('keep', [0, 1, 100, 0.5, 0.98])
def test_a_cut_file_is_passed_over_and_left(tmp_path, keep):
    good, bad = save(tmp_path / 'iter_1.pth'), save(tmp_path / 'iter_2.pth')
    data = bad.read_bytes()
    bad.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    found, damaged = find_checkpoint(tmp_path)
    assert found == good
    assert list(damaged) == [bad]
    assert bad.exists()


def test_flipped_bits_in_the_weights_are_found(tmp_path):
    path = save(tmp_path / 'iter_1.pth')
    whole = path.read_bytes()
    assert damage_of(path) is None
    chooser = random.Random(0)
    start = whole.index(torch.tensor(1.0).numpy().tobytes() * 16)
    for _ in range(20):
        data = bytearray(whole)
        data[chooser.randrange(start, start + 64 * 64 * 4)] ^= 1 << chooser.randrange(8)
        path.write_bytes(data)
        assert damage_of(path) is not None
    with pytest.raises(LadaError, match='damaged'):
        load_training_checkpoint(path)


def test_nothing_there(tmp_path):
    assert find_checkpoint(tmp_path, tmp_path / 'nowhere') == (None, {})


def test_weights_alone_cannot_be_resumed(tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'iter_1.pth')
    with pytest.raises(LadaError, match='--load-from'):
        load_training_checkpoint(tmp_path / 'iter_1.pth')


def test_another_architecture_is_named(tmp_path):
    said = r'other shapes: weight is \(3, 2\) there and \(4, 2\) here; missing: bias; not in'
    with pytest.raises(LadaError, match=said):
        fit_state_dict(
            nn.Linear(2, 4), {'weight': torch.zeros(3, 2), 'extra': torch.zeros(1)}, 'x.pth'
        )


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return exec, (f'open({str(self.path)!r}, "w").close()',)


def test_a_checkpoint_cannot_run_code(tmp_path):
    trap = tmp_path / 'trap'
    torch.save(
        {'meta': {}, 'message_hub': {}, 'state_dict': {}, 'x': Payload(trap)},
        tmp_path / 'iter_1.pth',
    )
    with pytest.raises(LadaError, match='exec'):
        load_training_checkpoint(tmp_path / 'iter_1.pth')
    assert not trap.exists()


def test_weights_of_either_stage_start_either_stage(tmp_path):
    def part(value):
        layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(layer.weight, value)
        return layer

    def model(**parts):
        result = nn.Module()
        for name, value in parts.items():
            result.add_module(name, part(value))
        return result

    def loaded(source, target):
        torch.save(dict(state_dict=source.state_dict()), tmp_path / 'weights.pth')
        load_networks(target, tmp_path / 'weights.pth')
        return {name: child.weight.item() for name, child in target.named_children()}

    stage_1, stage_2 = model(generator=1), model(generator=2, generator_ema=3, discriminator=4)
    assert loaded(stage_1, model(generator=0, generator_ema=0, discriminator=0)) == dict(
        generator=1, generator_ema=1, discriminator=0
    )
    assert loaded(stage_2, model(generator=0, generator_ema=0, discriminator=0)) == dict(
        generator=2, generator_ema=3, discriminator=4
    )
    assert loaded(stage_2, model(generator=0)) == dict(generator=3)
    assert loaded(part(5), model(generator=0)) == dict(generator=5)
