"""PSNR and SSIM against MMagic's golden values and scikit-image."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lada.evaluation import psnr, ssim


def rnd(seed, *shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope='module')
def pair():
    a = (rnd(30, 48, 64, 3) * 255).round().to(torch.uint8)
    b = (a + rnd(31, 48, 64, 3) * 40 - 20).clamp(0, 255).round().to(torch.uint8)
    return a.numpy(), b.numpy()


@pytest.mark.parametrize('crop', [0, 4])
@pytest.mark.parametrize('convert_to', [None, 'Y'])
@pytest.mark.parametrize('order', ['HWC', 'CHW'])
def test_golden(pair, repo_root, crop, convert_to, order):
    golden = np.load(repo_root / 'tests/golden/psnr_ssim.npz')
    pictures = pair if order == 'HWC' else [image.transpose(2, 0, 1) for image in pair]
    for name, function in (('psnr', psnr), ('ssim', ssim)):
        expected = golden[f'{name}_crop{crop}_{convert_to}']
        assert function(*pictures, crop, order, convert_to) == pytest.approx(expected, abs=1e-6)


def test_scikit_image_on_a_real_frame(clip):
    clean, mosaic = clip[0][0], clip[1][0]
    assert psnr(mosaic, clean) == pytest.approx(peak_signal_noise_ratio(clean, mosaic), abs=1e-9)
    expected = structural_similarity(
        clean, mosaic, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(mosaic, clean) == pytest.approx(expected, abs=1e-6)


def test_mask_restricts_to_the_region(clip):
    clean, mosaic, masks = (frames[0] for frames in clip)
    inside = masks != 0
    error = (clean.astype(float) - mosaic)[inside]
    assert psnr(mosaic, clean, mask=masks) == pytest.approx(
        10 * math.log10(255**2 / (error**2).mean())
    )
    _, local = structural_similarity(
        clean,
        mosaic,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    assert ssim(mosaic, clean, mask=masks) == pytest.approx(local[inside].mean(), abs=1e-6)


def test_special_values(pair):
    a, b = pair
    assert psnr(a, a) == math.inf and ssim(a, a) == pytest.approx(1)
    nothing = np.zeros(a.shape[:2])
    assert math.isnan(psnr(a, b, mask=nothing)) and math.isnan(ssim(a, b, mask=nothing))
    gray = a[..., 0]
    assert psnr(gray, b[..., 0]) == pytest.approx(psnr(gray[..., None], b[..., :1]))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(input_order='WHC'), 'input_order'),
        (dict(convert_to='Z'), 'convert_to'),
        (dict(mask=np.ones((3, 3))), 'mask of shape'),
        (dict(crop_border=20), 'smaller than the window'),
    ],
)
def test_wrong_arguments(pair, options, message):
    with pytest.raises(ValueError, match=message):
        ssim(*pair, **options)
    with pytest.raises(ValueError, match='different shapes'):
        psnr(pair[0], pair[1][1:])
