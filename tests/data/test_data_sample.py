import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement

from lada.data import DataSample
from lada.data.data_sample import split_samples, stack_samples
from lada.errors import LadaError


def sample(number: int, frames: int = 2) -> DataSample:
    return DataSample(
        gt_img=torch.full((frames, 3, 4, 5), number, dtype=torch.uint8),
        mosaic_mask=torch.zeros(frames, 4, 5, dtype=torch.uint8),
        metainfo=dict(
            key=f'clip {number}',
            fps=25.0,
            mosaic_block=(2.0, 3.0),
            mosaic_origin=np.zeros((2, 2)) if number else None,
        ),
    )


def test_stacking_and_splitting_are_inverse():
    batch = DataSample.stack([sample(0), sample(1), sample(2)])
    assert batch.gt_img.shape == (3, 2, 3, 4, 5) and batch.mosaic_mask.shape == (3, 2, 4, 5)
    assert batch.key == ['clip 0', 'clip 1', 'clip 2']
    parts = batch.split()
    assert [part.key for part in parts] == batch.key
    assert parts[0].mosaic_origin is None and parts[1].mosaic_origin.shape == (2, 2)
    assert parts[2].mosaic_block == (2.0, 3.0)
    assert torch.equal(parts[2].gt_img, sample(2).gt_img)


def test_what_is_known_later_is_split_too():
    batch = DataSample.stack([sample(0), sample(1)])
    batch.pred_img = torch.arange(2.0)[:, None]
    batch.set_metainfo(dict(padding=(1, 2)))
    parts = batch.split()
    assert [part.pred_img.item() for part in parts] == [0.0, 1.0]
    assert parts[0].padding == parts[1].padding == (1, 2)


def test_a_batch_of_one_and_moving_it():
    batch = DataSample.stack([sample(3)]).to(torch.float32)
    assert batch.gt_img.dtype == torch.float32
    assert batch.split()[0].key == 'clip 3'


def test_clips_of_different_lengths_do_not_stack():
    with pytest.raises(LadaError, match=r'batch_size=1'):
        DataSample.stack([sample(0), sample(1, frames=3)])


def test_other_classes_keep_everything():
    samples = [
        BaseDataElement(gt_img=torch.full((2,), i), note=f'n{i}', metainfo=dict(key=i))
        for i in range(3)
    ]
    for before, after in zip(samples, split_samples(stack_samples(samples), 3), strict=True):
        assert torch.equal(before.gt_img, after.gt_img)
        assert before.note == after.note and before.metainfo['key'] == after.metainfo['key']


def test_a_sample_is_as_long_as_what_agrees_on_it():
    assert len(DataSample()) == len(sample(0, frames=3)) == 1
    assert len(DataSample.stack([sample(0), sample(1), sample(2)])) == 3
    assert len(DataSample(a=torch.zeros(2), b=torch.zeros(3))) == 1
    assert len(DataSample(a='two words', b=torch.zeros(4))) == 4
    assert DataSample(a=torch.zeros(0))


@pytest.mark.parametrize('label', [2, torch.tensor(2), np.array(2), [2]])
def test_labels_stack_and_split(label):
    samples = [DataSample(metainfo=dict(num_classes=5)).set_gt_label(each) for each in (label, 4)]
    assert samples[0].gt_label.label.tolist() == [2] and samples[0].gt_label.num_classes == 5
    batch = DataSample.stack(samples)
    assert batch.gt_label.label.tolist() == [[2], [4]] and len(batch) == 2
    assert [part.gt_label.label.tolist() for part in batch.split()] == [[2], [4]]
    with pytest.raises(ValueError, match='num_classes'):
        samples[0].set_gt_label(5)
    with pytest.raises(TypeError, match='not a label'):
        samples[0].set_gt_label('five')


def test_tensor_data_of_arrays_and_nested_samples():
    batch = DataSample.stack([sample(0), sample(1)])
    batch.set_tensor_data(dict(input=np.ones((2, 4)), gt_label=[0, 1]))
    batch.output = DataSample(pred_img=torch.arange(2))
    parts = batch.split(True)
    assert parts[1].input.shape == (4,) and parts[1].output.pred_img.item() == 1
    assert parts[1].gt_label.label.item() == 1
