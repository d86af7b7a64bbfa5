"""The network against vectors computed by MMagic 1.2.0 (see tests/golden/README.md)."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lada.models import BasicVSR, BasicVSRPlusPlusNet, CharbonnierLoss
from lada.models.basicvsrpp.backend import BACKENDS


def build(golden, meta: dict, backend: str) -> BasicVSRPlusPlusNet:
    net = BasicVSRPlusPlusNet(
        meta['mid_channels'],
        meta['num_blocks'],
        is_low_res_input=meta['is_low_res_input'],
        backend=backend,
    )
    golden.set_weights(net, meta['scale'])
    return net


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['basicvsrpp_x4', 'basicvsrpp_same_size'])
def test_forward_and_backward(golden, name, backend):
    data = golden.load(name)
    meta = data['meta']
    net = build(golden, meta, backend)
    assert [key for key, _ in net.named_parameters()] == list(data['param_names'])
    clip = golden.smooth_clip(meta['input_seed'], meta['T'], meta['H'], meta['W'])

    output = net(clip)
    target = golden.rnd(meta['input_seed'] + 1, *output.shape)
    loss = CharbonnierLoss(loss_weight=1.0, reduction='mean')(output, target)
    loss.backward()

    np.testing.assert_allclose(output.detach()[..., ::8, ::8], data['output'], atol=1e-4)
    assert output.mean().item() == pytest.approx(float(data['output_mean']), abs=1e-5)
    assert loss.item() == pytest.approx(float(data['loss']), rel=1e-4)
    for (key, parameter), expected in zip(net.named_parameters(), data['grad_norms'], strict=True):
        tolerance = 1e-2 if 'spynet' in key else 1e-3
        assert parameter.grad.norm().item() == pytest.approx(float(expected), rel=tolerance), key


@pytest.mark.parametrize('name', ['basicvsrpp_x4', 'basicvsrpp_same_size'])
def test_flow(golden, name):
    data = golden.load(name)
    meta = data['meta']
    clip = golden.smooth_clip(meta['input_seed'], meta['T'], meta['H'], meta['W'])[0, :2]
    if not meta['is_low_res_input']:
        clip = F.interpolate(clip, scale_factor=0.25, mode='bicubic')
    with torch.no_grad():
        flow = build(golden, meta, 'plain').spynet(clip[:1], clip[1:])
    np.testing.assert_allclose(flow[..., ::4, ::4], data['flow'], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('backend', BACKENDS)
def test_training_trajectory(golden, make_sample, backend):
    data = golden.load('training_trajectory')
    meta = data['meta']
    model = BasicVSR(
        generator=dict(
            type='BasicVSRPlusPlusNet',
            mid_channels=meta['mid_channels'],
            num_blocks=meta['num_blocks'],
            is_low_res_input=False,
            backend=backend,
        ),
        pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
        train_cfg=dict(fix_iter=meta['fix_iter']),
    )
    golden.set_weights(model.generator)
    spynet = [p for name, p in model.generator.named_parameters() if 'spynet' in name]
    others = [p for name, p in model.generator.named_parameters() if 'spynet' not in name]
    optimizer = torch.optim.Adam(
        [
            dict(params=others, lr=meta['lr']),
            dict(params=spynet, lr=meta['lr'] * meta['spynet_lr_mult']),
        ],
        betas=meta['betas'],
    )
    clip = golden.smooth_clip(meta['input_seed'], meta['T'], 256, 256)
    noise = golden.rnd(meta['input_seed'] + 1, *clip.shape)
    target = torch.clamp(clip + 0.1 * noise, 0, 1)
    samples = make_sample(gt_img=target)

    losses, sums = [], []
    for _ in range(meta['iters']):
        loss = model(clip, samples, mode='loss')['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        sums.append(sum(p.detach().abs().sum().double().item() for p in spynet))
    np.testing.assert_allclose(losses, data['losses'], rtol=1e-3)
    np.testing.assert_allclose(sums, data['spynet_abs_sum'], rtol=1e-6)
    assert model.step_counter.item() == meta['iters']
