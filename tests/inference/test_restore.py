"""Crops, windows and the blend."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lada.errors import LadaError
from lada.inference.crops import plan_crops
from lada.inference.restore import Item, Job, Restorer, feathered
from lada.models import BasicVSRPlusPlusNet
from lada.video import read_frames

CPU = torch.device('cpu')


def moving_masks(count, height=112, width=144):
    masks = np.zeros((count, height, width), bool)
    for number, mask in enumerate(masks):
        mask[40:60, 20 + 3 * number : 45 + 3 * number] = True
    return list(masks)


def items(frames, masks):
    return [Item(SimpleNamespace(), frame, mask) for frame, mask in zip(frames, masks, strict=True)]


def test_crop_follows_its_region():
    masks = moving_masks(24)
    (crop,) = plan_crops(masks)
    for number, mask in enumerate(masks):
        assert crop.cut(mask, number).sum() == mask.sum()
        square = crop.cut(np.dstack([mask] * 3), number)
        assert square.shape == (crop.side, crop.side, 3)
        assert np.array_equal(crop.uncut(square)[..., 0], mask[crop.window(number)])


def test_regions_far_apart_have_crops_of_their_own():
    mask = np.zeros((400, 600), bool)
    mask[20:60, 20:60] = mask[300:340, 500:560] = True
    crops = plan_crops([mask])
    assert len(crops) == 2 and not (crops[0].region & crops[1].region).any()
    mask[60:70, 20:60] = True
    mask[76:90, 20:60] = True  # close to the first
    assert len(plan_crops([mask])) == 2
    assert plan_crops([np.zeros((9, 9), bool)]) == []


@pytest.mark.parametrize('shape', [(60, 400), (400, 60), (64, 64)])
def test_crop_larger_than_the_frame_is_padded(shape):
    (crop,) = plan_crops([np.ones(shape, bool)])
    assert crop.side == max(shape) and crop.shape == shape
    assert crop.cut(np.ones(shape, np.uint8), 0).sum() == shape[0] * shape[1]


def test_gap_in_a_mask():
    masks = moving_masks(10)
    masks[4] = np.zeros_like(masks[4])
    (crop,) = plan_crops(masks)
    assert len(crop.corners) == 10


@pytest.mark.parametrize(('window', 'overlap'), [(8, 2), (5, 0), (30, 6), (24, 12), (1, 0)])
def test_every_frame_comes_out_once_restored_inside_only(frames, painter, window, overlap):
    masks = moving_masks(len(frames))
    masks[7] = np.zeros_like(masks[7])
    out = list(Restorer(painter, CPU, window=window, overlap=overlap).run(items(frames, masks)))
    assert [id(item.rgb.base) for item in out] == [id(frames)] * len(frames)
    for number, (item, frame) in enumerate(zip(out, frames, strict=True)):
        assert np.shares_memory(item.rgb, frame)
        if number == 7:
            assert item.restored is None
            continue
        inside = item.mask[item.box()]
        assert (item.restored[inside] == 255).all()
        assert np.array_equal(item.restored[~inside], frame[item.box()][~inside])
    assert all(shape[3:] == (256, 256) and shape[1] <= window for shape in painter.shapes)


def test_no_work_without_mask(frames, painter):
    masks = [np.zeros(frames.shape[1:3], bool)] * len(frames)
    assert len(list(Restorer(painter, CPU, window=6, overlap=2).run(items(frames, masks)))) == len(
        frames
    )
    assert painter.calls == 0


def test_at_most_a_window_is_held(frames, painter):
    masks = moving_masks(len(frames))
    taken = 0

    def counting():
        nonlocal taken
        for item in items(frames, masks):
            taken += 1
            yield item

    for given, _ in enumerate(Restorer(painter, CPU, window=8, overlap=2).run(counting())):
        assert taken - given <= 8


def test_windows_are_cross_faded(frames):
    class Counter(torch.nn.Module):
        value = 0.0

        def forward(self, clip):
            self.value += 0.2
            return torch.full_like(clip, self.value)

    masks = moving_masks(14)
    out = list(Restorer(Counter(), CPU, window=8, overlap=2).run(items(frames[:14], masks)))
    levels = [round(float(item.restored[item.mask[item.box()]].mean()), 1) for item in out]
    first, second = 51.0, 102.0
    assert levels[:6] == [first] * 6 and levels[8:] == [second] * 6
    assert levels[6:8] == pytest.approx(
        [first + (second - first) / 3, first + (second - first) * 2 / 3], abs=0.2
    )


def test_windows_end_at_cuts(bikes, painter):
    """bikes.mp4 has a cut at frame 30."""
    frames = read_frames(bikes, 20, 40)
    mask = np.zeros(frames.shape[1:3], bool)
    mask[100:150, 300:380] = True
    list(Restorer(painter, CPU, window=16, overlap=4).run(items(frames, [mask] * 20)))
    assert [shape[1] for shape in painter.shapes] == [10, 10]


def test_feathered_weight_is_inside_only():
    mask = np.zeros((60, 80), bool)
    mask[20:, 30:60] = True
    weight = feathered(mask, 4)
    assert (weight[~mask] == 0).all() and (weight[mask] > 0).all() and weight.max() == 1
    assert (weight[30:, 40:50] == 1).all()  # the picture's lower border is no edge
    assert weight[40, 30] == pytest.approx(0.2) and weight[40, 32] == pytest.approx(0.6)
    assert np.array_equal(feathered(mask, 0), mask)


def test_overlap_has_a_limit(painter):
    with pytest.raises(LadaError, match='cannot overlap'):
        Restorer(painter, CPU, window=10, overlap=6)


class Precise(torch.nn.Module):
    """Returns white in float32; not finite, or as autocast says, in float16."""

    def __init__(self, overflows):
        super().__init__()
        self.overflows, self.calls = overflows, []
        self.convolution = torch.nn.Conv2d(3, 3, 1)

    def forward(self, clip):
        self.calls.append(self.convolution(clip[0]).dtype)
        half = self.calls[-1] == torch.float16
        return torch.full_like(clip, torch.inf if half and self.overflows else 1)


@pytest.mark.parametrize(('half', 'overflows'), [(False, False), (True, False), (True, True)])
def test_half_precision_falls_back_where_it_overflows(frames, half, overflows):
    network = Precise(overflows)
    restorer = Restorer(network, CPU, window=4, overlap=0, size=64, half=half)
    out = list(restorer.run(items(frames[:4], moving_masks(4))))
    expected = [torch.float16] * half + [torch.float32] * (overflows or not half)
    assert network.calls == expected
    assert (out[0].restored[out[0].mask[out[0].box()]] > 254.9).all()


def test_the_network_runs_in_float16(frames):
    """As autocast on a processor does it; CUDA is not tested here."""
    network = BasicVSRPlusPlusNet(
        8, 1, head_channels=8, is_low_res_input=True, backend='plain'
    ).eval()
    torch.manual_seed(0)
    torch.nn.init.normal_(network.conv_last.weight, std=0.1)
    squares = [frame[:64, :64] for frame in frames[:3]]
    results = []
    for half in (False, True):
        restorer = Restorer(network, CPU, size=64, half=half)
        results.append(np.stack(restorer.network(Job(squares, None)).squares))
    difference = np.abs(results[0] - results[1])
    assert 0 < difference.max() < 3 and difference.mean() < 0.2
