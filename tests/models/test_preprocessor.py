import pytest
import torch

from lada.errors import LadaError
from lada.models import DataPreprocessor, EditDataPreprocessor


def clips(count=2, shape=(2, 3, 8, 10)):
    return [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(count)]


@pytest.fixture
def samples(make_sample):
    return [
        make_sample(
            gt_img=clip,
            mosaic_mask=clip[:, 0],
            metainfo=dict(key=i, gt_channel_order='rgb', img_channel_order='rgb'),
        )
        for i, clip in enumerate(clips())
    ]


@pytest.fixture
def unit():
    return DataPreprocessor(mean=[0.0] * 3, std=[255.0] * 3)


def test_to_unit_range_and_back(unit, samples):
    inputs = clips()
    out = unit(dict(inputs=inputs, data_samples=samples), training=True)
    torch.testing.assert_close(out['inputs'], torch.stack(inputs) / 255)
    torch.testing.assert_close(
        out['data_samples'].gt_img, torch.stack([s.gt_img for s in samples]) / 255
    )
    assert out['data_samples'].mosaic_mask.dtype == torch.uint8
    assert out['data_samples'].metainfo['key'] == [0, 1]
    assert samples[0].gt_img.dtype == torch.uint8, 'the loader keeps its sample'
    back = unit.destruct(out['inputs'], out['data_samples'])
    torch.testing.assert_close(back, torch.stack(inputs).float(), atol=1e-3, rtol=0)


def test_ground_truth_keeps_its_range_outside_training(unit, samples):
    out = unit(dict(inputs=clips(), data_samples=samples))
    assert torch.equal(out['data_samples'].gt_img, torch.stack([s.gt_img for s in samples]))
    always = EditDataPreprocessor(only_norm_gt_in_training=False)
    assert always(dict(inputs=clips(), data_samples=samples))['data_samples'].gt_img.max() <= 1


def test_defaults_are_mmagics():
    out = DataPreprocessor()(
        dict(inputs=[torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 2)])
    )['inputs']
    assert out.flatten().tolist() == [-1, 1]
    assert not DataPreprocessor().state_dict()


def test_padding_and_back(samples):
    unit = DataPreprocessor(mean=0, std=255, pad_size_divisor=4, pad_mode='reflect')
    inputs = clips(shape=(2, 3, 7, 10))
    out = unit(dict(inputs=inputs, data_samples=samples))
    assert out['inputs'].shape == (2, 2, 3, 8, 12)
    assert out['data_samples'].metainfo['padding_size'] == [(0, 1, 2), (0, 1, 2)]
    assert unit.destruct(out['inputs'], out['data_samples']).shape == (2, 2, 3, 7, 10)


def test_channel_order_for_the_network_only(samples):
    unit = DataPreprocessor(mean=0, std=255, output_channel_order='BGR')
    inputs = clips()
    out = unit(dict(inputs=inputs, data_samples=samples), training=True)
    torch.testing.assert_close(out['inputs'], torch.stack(inputs).flip(2) / 255)
    torch.testing.assert_close(out['data_samples'].gt_img[0], samples[0].gt_img.flip(1) / 255)
    back = unit.destruct(out['inputs'], out['data_samples'])
    torch.testing.assert_close(back, torch.stack(inputs).float(), atol=1e-3, rtol=0)


def test_dictionary_inputs(unit):
    inputs = [dict(img=clip, noise=torch.ones(2), mode='x') for clip in clips()]
    out = unit(dict(inputs=inputs))['inputs']
    assert out['img'].shape == (2, 2, 3, 8, 10) and out['img'].max() <= 1
    assert torch.equal(out['noise'], torch.ones(2, 2)) and out['mode'] == 'x'


def test_outputs_are_clamped(unit):
    assert (
        unit.destruct(torch.tensor([-1.0, 2.0]).view(1, 1, 2).expand(3, 1, 2)).tolist()
        == [[[0, 255]]] * 3
    )


def test_clips_that_differ_are_named(unit, samples):
    with pytest.raises(LadaError, match=r'\(2, 3, 8, 10\), \(3, 3, 8, 10\)'):
        unit(dict(inputs=[*clips(1), *clips(1, (3, 3, 8, 10))]))
    samples[1].gt_img = samples[1].gt_img[:1]
    with pytest.raises(LadaError, match='different shapes: gt_img'):
        unit(dict(inputs=clips(), data_samples=samples))
    del samples[1].gt_img
    with pytest.raises(LadaError, match='no gt_img'):
        unit(dict(inputs=clips(), data_samples=samples), training=True)
    with pytest.raises(LadaError, match='different fields'):
        unit(dict(inputs=clips(), data_samples=samples))


@pytest.mark.parametrize(
    'arguments', [dict(mean=None), dict(std=None), dict(output_channel_order='GRB')]
)
def test_wrong_arguments(arguments):
    with pytest.raises(ValueError, match='DataPreprocessor'):
        DataPreprocessor(**arguments)
