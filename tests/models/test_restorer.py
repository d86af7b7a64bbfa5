import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import nn

from lada.errors import LadaError
from lada.models import BasicVSR
from lada.registry import MODELS


class Brighten(nn.Module):
    """Stands in for a generator: one number for the flow network, one for the rest."""

    def __init__(self):
        super().__init__()
        self.spynet = nn.Linear(1, 1, bias=False)
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, clip):
        return clip * self.gain + 0 * self.spynet.weight.sum() * clip


@pytest.fixture
def build():
    def make(**kwargs):
        model = BasicVSR(generator=dict(type=Brighten), pixel_loss=dict(type='L1Loss'), **kwargs)
        return model

    return make


@pytest.fixture
def batch(make_sample):
    def make(count=2, frames=2, size=8, **fields):
        generator = torch.Generator().manual_seed(1)

        def clip():
            return torch.randint(
                0, 256, (frames, 3, size, size), generator=generator, dtype=torch.uint8
            )

        mask = torch.zeros(frames, size, size, dtype=torch.uint8)
        mask[:, :2] = 255
        samples = [
            make_sample(
                gt_img=clip(), mosaic_mask=mask, metainfo=dict(key=str(i), img_channel_order='rgb')
            )
            for i in range(count)
        ]
        return dict(inputs=[clip() for _ in range(count)], data_samples=samples)

    return make


def test_mmagic_model_dict_builds_unchanged(golden):
    config = dict(
        type='BasicVSR',
        generator=dict(
            type='BasicVSRPlusPlusNet',
            mid_channels=8,
            num_blocks=1,
            is_low_res_input=True,
            spynet_pretrained=None,
        ),
        pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
        train_cfg=dict(fix_iter=5000),
        ensemble=dict(type='SpatialTemporalEnsemble', is_temporal_ensemble=False),
        data_preprocessor=dict(
            type='DataPreprocessor', mean=[0.0, 0.0, 0.0], std=[255.0, 255.0, 255.0]
        ),
    )
    with DefaultScope.overwrite_default_scope('lada'):
        model = MODELS.build(config)
    keys = set(model.state_dict())
    names = golden.load('basicvsrpp_x4')['param_names']
    assert keys == {f'generator.{name}' for name in names} | {
        'step_counter',
        'generator.spynet.mean',
        'generator.spynet.std',
    }


def test_train_step(build, batch):
    model = build()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    log = model.train_step(batch(), wrapper)
    assert log['loss'].item() > 0
    assert model.generator.gain.item() != 0.5
    assert model.step_counter.item() == 1


def test_fix_iter(build, batch):
    model = build(train_cfg=dict(fix_iter=2))
    data = model.data_preprocessor(batch(), training=True)
    trained = []
    for _ in range(4):
        model(**data, mode='loss')
        trained.append(model.generator.spynet.weight.requires_grad)
    assert trained == [False, False, True, True]
    assert model.generator.gain.requires_grad


def test_fix_iter_goes_on_after_loading_a_state(build, batch):
    data = build().data_preprocessor(batch(), training=True)
    first = build(train_cfg=dict(fix_iter=2))
    first(**data, mode='loss')
    second = build(train_cfg=dict(fix_iter=2))
    second(**data, mode='loss')
    second.load_state_dict({**first.state_dict(), 'step_counter': torch.tensor([7.0])})
    second(**data, mode='loss')
    assert second.generator.spynet.weight.requires_grad
    second.load_state_dict(first.state_dict())
    second(**data, mode='loss')
    assert not second.generator.spynet.weight.requires_grad
    assert second.step_counter.item() == 2


def test_mask_weight(build, batch):
    data = build().data_preprocessor(batch(), training=True)
    difference = (data['inputs'] * 0.5 - data['data_samples'].gt_img).abs()
    inside, outside = difference[..., :2, :], difference[..., 2:, :]
    only_mosaic = build(train_cfg=dict(mask_weight=0.0))(**data, mode='loss')['loss']
    torch.testing.assert_close(only_mosaic, inside.mean())
    weighted = build(train_cfg=dict(mask_weight=0.5))(**data, mode='loss')['loss']
    expected = (inside.sum() + 0.5 * outside.sum()) / (inside.numel() + 0.5 * outside.numel())
    torch.testing.assert_close(weighted, expected)
    torch.testing.assert_close(
        build(train_cfg=dict(mask_weight=1.0))(**data, mode='loss')['loss'], difference.mean()
    )


@pytest.mark.parametrize('setting', [-1, 'much', dict(inside=1), True, float('nan')])
def test_wrong_mask_weight(build, setting):
    with pytest.raises(LadaError, match='mask_weight'):
        build(train_cfg=dict(mask_weight=setting))


def test_mask_weight_without_masks(build, batch):
    data = build().data_preprocessor(batch(), training=True)
    del data['data_samples'].mosaic_mask
    with pytest.raises(LadaError, match='needs mosaic_mask'):
        build(train_cfg=dict(mask_weight=0.1))(**data, mode='loss')


def test_further_losses(build, batch):
    data = build().data_preprocessor(batch(), training=True)
    alone = build(train_cfg=dict(mask_weight=0.0))(**data, mode='loss')['loss']
    model = build(
        train_cfg=dict(mask_weight=0.0),
        further_losses=dict(temporal=dict(type='TemporalDifferenceLoss', loss_weight=0.5)),
    )
    losses = model(**data, mode='loss')
    assert list(losses) == ['loss_pix', 'loss_temporal']
    torch.testing.assert_close(losses['loss_pix'], alone)
    inside = (data['inputs'] * 0.5 - data['data_samples'].gt_img)[..., :2, :]
    changes = (inside[:, 1] - inside[:, 0]).abs().mean()
    torch.testing.assert_close(losses['loss_temporal'], 0.5 * changes)
    assert set(model.state_dict()) == set(build().state_dict())


def test_predict(build, batch):
    data = batch()
    results = build().val_step(data)
    assert len(results) == 2
    for result, clip, sample in zip(results, data['inputs'], data['data_samples'], strict=True):
        assert result.metainfo['key'] == sample.metainfo['key']
        torch.testing.assert_close(result.input, clip.float(), atol=1e-3, rtol=0)
        torch.testing.assert_close(result.pred_img, clip * 0.5, atol=1e-3, rtol=0)
        assert torch.equal(result.gt_img, sample.gt_img)
        assert torch.equal(result.mosaic_mask, sample.mosaic_mask)


def test_predict_without_ground_truth_and_tensor_mode(build, batch):
    model = build()
    inputs = model.data_preprocessor(dict(inputs=batch()['inputs']))['inputs']
    assert model(inputs, mode='predict')[0].pred_img.shape == (2, 3, 8, 8)
    torch.testing.assert_close(model(inputs), inputs * 0.5)


def test_centre_frame_for_a_single_ground_truth_picture(build, batch):
    model = build()
    data = batch(count=1, frames=5)
    data['data_samples'][0].gt_img = data['data_samples'][0].gt_img[2]
    del data['data_samples'][0].mosaic_mask
    result = model.val_step(data)[0]
    torch.testing.assert_close(result.pred_img, result.input[2] * 0.5)


def test_pretrained_weights_are_read_without_running_code(build, tmp_path):
    trained = build()
    torch.nn.init.constant_(trained.generator.gain, 3.0)
    torch.save(dict(state_dict=trained.state_dict()), tmp_path / 'trained.pth')
    model = build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth')))
    model.init_weights()
    assert model.generator.gain.item() == 3
    torch.save(dict(state_dict={}, extra=tmp_path), tmp_path / 'odd.pth')
    with pytest.raises(LadaError, match='refused'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'odd.pth'))).init_weights()


def test_errors(build, batch):
    model = build()
    data = model.data_preprocessor(batch(), training=True)
    with pytest.raises(LadaError, match=r'\(2, 2, 3, 8, 8\) and \(2, 2, 3, 4, 8\)'):
        data['data_samples'].gt_img = data['data_samples'].gt_img[..., :4, :]
        model(**data, mode='loss')
    with pytest.raises(LadaError, match='no gt_img'):
        model(data['inputs'], None, mode='loss')
    with pytest.raises(ValueError, match='unknown mode'):
        model(data['inputs'], mode='train')


class Enlarge(Brighten):
    def forward(self, clip):
        return super().forward(clip).repeat_interleave(4, -1).repeat_interleave(4, -2)


def test_a_network_that_enlarges_clips_of_one_size_is_told(batch):
    """Public Lada's network has the same name and never enlarges."""
    model = BasicVSR(generator=dict(type=Enlarge), pixel_loss=dict(type='L1Loss'))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(LadaError, match=r'is_low_res_input=False in model\.generator'):
        model.train_step(batch(), wrapper)
