import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lada.errors import LadaError
from lada.models import BasicVSRPlusPlusNet, PixelShufflePack
from lada.models.basicvsrpp.backend import choose_backend


@pytest.fixture(scope='module', params=['plain', 'cpu'])
def net(golden, request):
    """The x4 mode, which accepts small frames; with a narrow head, whose 64 channels would take
    most of the time.
    """
    net = BasicVSRPlusPlusNet(8, 1, backend=request.param)
    net.upsample2 = PixelShufflePack(8, 8, 2, 3)
    net.conv_hr, net.conv_last = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 3, 3, 1, 1)
    golden.set_weights(net)
    return net.requires_grad_(True)


@pytest.fixture
def clip(golden):
    return golden.smooth_clip(3, 3, 64, 64)


def gradients(net, clip):
    net.zero_grad(set_to_none=True)
    output = net(clip)
    output.square().mean().backward()
    return output.detach(), {name: p.grad for name, p in net.named_parameters()}


def test_single_frame(net, clip):
    with torch.no_grad():
        assert net(clip[:, :1]).shape == (1, 1, 3, 256, 256)


def test_clips_in_a_batch_do_not_meet(net, clip, golden):
    other = golden.smooth_clip(5, 3, 64, 64)
    with torch.no_grad():
        together = net(torch.cat([clip, other]))
        torch.testing.assert_close(together[:1], net(clip), atol=1e-4, rtol=0)
        torch.testing.assert_close(together[1:], net(other), atol=1e-4, rtol=0)


def test_mirror_extended_clip_needs_one_flow_direction(net, clip, monkeypatch):
    mirrored = torch.cat([clip, clip.flip(1)], 1)[:, 1:5]
    with torch.no_grad():
        output = net(mirrored)
        assert net.is_mirror_extended
        monkeypatch.setattr(torch, 'equal', lambda a, b: False)
        torch.testing.assert_close(net(mirrored), output, atol=1e-4, rtol=0)
        assert not net.is_mirror_extended


def test_cached_features_give_the_same(net, clip, monkeypatch):
    with torch.no_grad():
        expected = net(clip)
        monkeypatch.setattr(net, 'cpu_cache_length', 2)
        torch.testing.assert_close(net(clip), expected, atol=1e-5, rtol=0)


def test_backends_give_the_same_values_and_gradients(net, clip, monkeypatch):
    monkeypatch.setattr(net, 'backend', 'plain')
    output, gradients_of = gradients(net, clip)
    monkeypatch.setattr(net, 'backend', 'cpu')
    fast_output, fast_gradients = gradients(net, clip)
    torch.testing.assert_close(fast_output, output, atol=1e-4, rtol=0)
    for name, gradient in fast_gradients.items():
        error = (gradient - gradients_of[name]).norm() / gradients_of[name].norm()
        assert error < 1e-3, name


def test_the_device_decides_unless_somebody_does(net):
    cpu, cuda = torch.device('cpu'), torch.device('cuda')
    assert choose_backend(None, cpu, None) == choose_backend(None, cpu, 'sampling') == 'cpu'
    assert choose_backend(None, cuda, None) == choose_backend(None, cpu, 'torchvision') == 'plain'
    assert choose_backend('plain', cpu, None) == 'plain'
    with pytest.raises(LadaError, match='on cuda'):
        choose_backend('cpu', cuda, None)
    with pytest.raises(LadaError, match='unknown backend'):
        BasicVSRPlusPlusNet(8, 1, backend='gpu')


def test_implementation_can_be_named_and_shows(net):
    assert 'implementation=by device' in repr(net)
    assert 'implementation=torchvision' in repr(
        BasicVSRPlusPlusNet(8, 1, deform_conv='torchvision')
    )
    with pytest.raises(LadaError, match='unknown implementation'):
        BasicVSRPlusPlusNet(8, 1, deform_conv='fast')


def test_channels_last_gives_the_same(net, clip, monkeypatch):
    """As a GPU wants it; the plain network follows the layout of its weights."""
    expected_output, expected = gradients(net, clip)
    moved = copy.deepcopy(net).to(memory_format=torch.channels_last)
    output, found = gradients(moved, clip)
    torch.testing.assert_close(output, expected_output, atol=1e-4, rtol=0)
    for name, gradient in found.items():
        assert (gradient - expected[name]).norm() <= 1e-3 * expected[name].norm() + 1e-6, name


def test_frozen_flow_network_gets_no_gradient_and_changes_no_other(net, clip):
    _, expected = gradients(net, clip)
    net.spynet.requires_grad_(False)
    try:
        _, found = gradients(net, clip)
    finally:
        net.spynet.requires_grad_(True)
    for name, gradient in found.items():
        if name.startswith('spynet'):
            assert gradient is None
        else:
            torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-3)


def test_input_gradient_reaches_through_a_frozen_flow_network(net, clip):
    net.spynet.requires_grad_(False)
    try:
        clip = clip[:, :2].requires_grad_()
        net(clip).square().mean().backward()
        frozen = clip.grad.clone()
    finally:
        net.spynet.requires_grad_(True)
    clip.grad = None
    net(clip).square().mean().backward()
    torch.testing.assert_close(clip.grad, frozen)


def test_step_is_bit_identical_with_deterministic_algorithms(net, clip):
    torch.use_deterministic_algorithms(True)
    try:
        runs = [gradients(net, clip) for _ in range(2)]
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(runs[0][0], runs[1][0])
    assert all(torch.equal(runs[0][1][name], gradient) for name, gradient in runs[1][1].items())


def test_bfloat16_autocast_stays_near_float32(net, clip):
    with torch.no_grad():
        expected = net(clip)
    with torch.autocast('cpu', torch.bfloat16):
        output = net(clip)
    output.float().square().mean().backward()
    assert (output.float() - expected).norm() / expected.norm() < 0.02
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.float32 for p in net.parameters())


def test_untrained_network_returns_its_input():
    clip = torch.rand(1, 2, 3, 256, 256)
    with torch.no_grad():
        assert torch.equal(BasicVSRPlusPlusNet(8, 1, is_low_res_input=False)(clip), clip)


def test_untrained_network_lets_signal_and_gradient_through():
    torch.manual_seed(0)
    net = BasicVSRPlusPlusNet(16, 2)
    torch.nn.init.normal_(net.conv_last.weight, std=0.04)  # keeps the scale of its 576 inputs
    clip = torch.rand(1, 3, 3, 64, 64)
    output = net(clip)
    output.square().mean().backward()
    assert 0.1 < (output - F.interpolate(clip[0], scale_factor=4, mode='bilinear')).std() < 10
    first, last = net.feat_extract.main[0].weight.grad.norm(), net.conv_hr.weight.grad.norm()
    assert 0.02 < first / last < 50


@pytest.mark.parametrize(
    ('shape', 'low_res', 'rule'),
    [
        ((1, 2, 3, 252, 256), False, 'at least 256'),
        ((1, 2, 3, 256, 258), False, 'divisible by 4'),
        ((1, 2, 3, 64, 60), True, 'at least 64'),
        ((2, 3, 256, 256), False, r'\(N, T, 3, H, W\)'),
        ((1, 2, 4, 256, 256), False, r'\(N, T, 3, H, W\)'),
        ((1, 0, 3, 256, 256), False, r'\(N, T, 3, H, W\)'),
    ],
)
def test_wrong_sizes_are_named(shape, low_res, rule):
    net = BasicVSRPlusPlusNet(8, 0, is_low_res_input=low_res)
    with pytest.raises(LadaError, match=rule) as error:
        net(torch.zeros(shape))
    assert str(shape) in str(error.value)


def test_wrong_type_and_device_are_named(net):
    with pytest.raises(LadaError, match=r'torch\.uint8'):
        net(torch.zeros(1, 2, 3, 64, 64, dtype=torch.uint8))
    with pytest.raises(LadaError, match='on meta, weights on cpu'):
        net(torch.zeros(1, 2, 3, 64, 64, device='meta'))


def test_missing_flow_weights_are_named(tmp_path):
    with pytest.raises(LadaError, match=r'flow\.pth'):
        BasicVSRPlusPlusNet(8, 1, spynet_pretrained=str(tmp_path / 'flow.pth'))


@pytest.mark.parametrize('segment', [1, 2, 7])
def test_checkpointing_gives_exact_gradients(net, clip, monkeypatch, segment):
    expected_output, expected = gradients(net, clip)
    monkeypatch.setattr(net, 'checkpoint_segment', segment)
    output, found = gradients(net, clip)
    assert torch.equal(output, expected_output)
    assert all(torch.equal(found[name], gradient) for name, gradient in expected.items())
