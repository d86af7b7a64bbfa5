"""The network's values and gradients on a GPU."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from lada.models import BasicVSRPlusPlusNet, CharbonnierLoss
from lada.models.basicvsrpp.guided import MosaicGuidedNet
from lada.models.placement import place
from lada.mosaic.block_grid import BlockGrid
from tests.models.conftest import load, rnd, set_weights, smooth_clip

SCALE = 2.0**10
"""Of the loss, as float16 needs it."""


@pytest.fixture
def net() -> BasicVSRPlusPlusNet:
    """Of the backend that runs on GPUs, whatever the device."""
    net = BasicVSRPlusPlusNet(16, 2, is_low_res_input=False, backend='plain')
    set_weights(net)
    return net


def step(net: nn.Module, clip: torch.Tensor, dtype: torch.dtype | None = None):
    """Return output and gradients, in float32 on the processor."""
    device = next(net.parameters()).device
    net.zero_grad(set_to_none=True)
    with torch.autocast(device.type, dtype, enabled=dtype is not None):
        output = net(clip.to(device))
        loss = (output.float() - 0.5).square().mean()
    (loss * SCALE).backward()
    gradients = {
        name: p.grad.detach().float().cpu() / SCALE
        for name, p in net.named_parameters()
        if p.grad is not None
    }
    return output.detach().float().cpu(), gradients


def assert_near(found: dict, expected: dict, tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        error = (gradient - expected[name]).norm() / (expected[name].norm() + 1e-9)
        assert error < tolerance * (10 if 'spynet' in name else 1), name


@pytest.mark.parametrize('name', ['basicvsrpp_x4', 'basicvsrpp_same_size'])
def test_golden_vectors(name, device):
    data = load(name)
    meta = data['meta']
    net = BasicVSRPlusPlusNet(
        meta['mid_channels'], meta['num_blocks'], is_low_res_input=meta['is_low_res_input']
    )
    set_weights(net, meta['scale'])
    net = place(net, device)
    clip = smooth_clip(meta['input_seed'], meta['T'], meta['H'], meta['W'])
    output = net(clip.to(device))
    target = rnd(meta['input_seed'] + 1, *output.shape).to(device)
    loss = CharbonnierLoss(loss_weight=1.0, reduction='mean')(output, target)
    loss.backward()
    np.testing.assert_allclose(output.detach().cpu()[..., ::8, ::8], data['output'], atol=1e-4)
    assert loss.item() == pytest.approx(float(data['loss']), rel=1e-4)
    for (key, parameter), expected in zip(net.named_parameters(), data['grad_norms'], strict=True):
        tolerance = 1e-2 if 'spynet' in key else 1e-3
        assert parameter.grad is not None
        assert parameter.grad.norm().item() == pytest.approx(float(expected), rel=tolerance), key


def test_the_processor_and_the_gpu_agree(net, device):
    clip = smooth_clip(3, 3, 256, 256)
    expected_output, expected = step(net, clip)
    output, found = step(place(copy.deepcopy(net), device), clip)
    torch.testing.assert_close(output, expected_output, atol=1e-4, rtol=0)
    assert_near(found, expected, 1e-3)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
def test_mixed_precision_follows_float32(net, device, dtype):
    clip = smooth_clip(3, 3, 256, 256)
    net = place(net, device)
    expected_output, expected = step(net, clip)
    output, found = step(net, clip, dtype)
    assert output.isfinite().all()
    assert (output - expected_output).norm() / expected_output.norm() < 0.03
    together = [
        torch.cat([part[name].flatten() for name in expected]) for part in (found, expected)
    ]
    assert torch.cosine_similarity(*together, dim=0) > 0.98


@pytest.mark.parametrize('dtype', [None, torch.bfloat16], ids=str)
def test_activation_checkpointing_changes_no_gradient(net, device, dtype):
    """As far as the device repeats itself: its deformable convolution adds in any order."""
    clip = smooth_clip(3, 5, 256, 256)
    net = place(net, device)
    output, expected = step(net, clip, dtype)
    _, again = step(net, clip, dtype)
    noise = max(float((again[n] - expected[n]).norm() / expected[n].norm()) for n in expected)
    net.checkpoint_segment = 2
    checkpointed, found = step(net, clip, dtype)
    torch.testing.assert_close(checkpointed, output)
    assert_near(found, expected, max(1e-4, 10 * noise))


@pytest.mark.filterwarnings('ignore:Dynamo detected a call to a `functools.lru_cache`')
def test_compiled_the_network_is_the_same(net, device):
    clip = smooth_clip(3, 3, 256, 256)
    net = place(net, device)
    expected_output, expected = step(net, clip)
    # Inductor's code for a processor needs a C++ compiler, and is not what is tested here.
    backend = 'inductor' if device.type == 'cuda' else 'aot_eager'
    compiled = copy.deepcopy(net)
    compiled.forward = torch.compile(compiled.forward, backend=backend)
    output, found = step(compiled, clip)
    torch.testing.assert_close(output, expected_output, atol=1e-3, rtol=0)
    assert_near(found, expected, 1e-2)


def test_a_guided_network(device):
    net = MosaicGuidedNet(mid_channels=8, num_blocks=1, head_channels=8, deform_groups=4)
    set_weights(net, 0.5)
    clip, masks = smooth_clip(3, 3, 256, 256), torch.zeros(1, 3, 256, 256)
    masks[..., 64:192, 64:192] = 1
    outputs = []
    for where in ('cpu', device):
        there = place(copy.deepcopy(net), where)
        grid = BlockGrid(masks.to(where), [(16, 16)], [torch.zeros(3, 2)])
        with torch.no_grad():
            output = there(clip.to(where), grid)
            assert grid.error(output, clip.to(where)).abs().max() < 1e-4
        outputs.append(output.cpu())
    torch.testing.assert_close(*outputs, atol=1e-3, rtol=0)
