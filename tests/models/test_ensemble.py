import pytest
import torch

from lada.models import SpatialTemporalEnsemble


def test_average_of_all_orientations():
    generator = torch.Generator().manual_seed(2)
    clip = torch.rand(1, 2, 3, 4, 6, generator=generator)

    def model(x):
        ramp = torch.arange(x.shape[-1], dtype=x.dtype)
        return x * ramp + x[:, :1] * torch.arange(x.shape[-2], dtype=x.dtype)[:, None]

    total = torch.zeros_like(clip)
    for transposed in (False, True):
        for flips in ([], [3], [4], [3, 4]):
            x = clip.transpose(3, 4).flip(flips) if transposed else clip.flip(flips)
            y = model(x).flip(flips)
            total += y.transpose(3, 4) if transposed else y
    torch.testing.assert_close(SpatialTemporalEnsemble()(clip, model), total / 8)
    both = SpatialTemporalEnsemble(is_temporal_ensemble=True)(clip, model)
    reverse = SpatialTemporalEnsemble()(clip.flip(1), model).flip(1)
    torch.testing.assert_close(both, (total / 8 + reverse) / 2)


def test_still_pictures():
    picture = torch.rand(1, 3, 4, 6)
    torch.testing.assert_close(SpatialTemporalEnsemble()(picture, lambda x: x), picture)
    with pytest.raises(ValueError, match='no clip'):
        SpatialTemporalEnsemble(is_temporal_ensemble=True)(picture, lambda x: x)
