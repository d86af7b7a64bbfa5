"""All scores of one clip."""

import math

import cv2
import numpy as np
import pytest

from lada.evaluation import psnr, ssim
from lada.evaluation.scores import SCORES, ClipReference


@pytest.fixture(scope='module')
def reference(clip):
    clean, _, masks = clip
    return ClipReference(clean, masks != 0)


def test_agrees_with_the_functions(reference, clip):
    clean, mosaic, masks = clip
    scores = reference.measure(mosaic)
    assert scores['psnr'] == pytest.approx(
        np.mean([psnr(p, g) for p, g in zip(mosaic, clean, strict=True)])
    )
    assert scores['ssim'] == pytest.approx(
        np.mean([ssim(p, g) for p, g in zip(mosaic, clean, strict=True)])
    )
    mse = np.square(clean.astype(float) - mosaic)[masks != 0].mean()
    assert scores['psnr_mosaic'] == pytest.approx(10 * math.log10(255**2 / mse))
    assert set(scores) == {score.name for score in SCORES} - {'lpips'}


def test_the_truth_is_perfect(reference, clip):
    scores = reference.measure(clip[0])
    assert scores['psnr'] == scores['psnr_mosaic'] == 100
    assert scores['ssim_mosaic'] == pytest.approx(1)
    assert scores['seam'] == scores['flicker'] == 0


def test_seam_sees_a_step_at_the_edge_only(reference, clip):
    clean, _, masks = clip
    inside = (masks != 0)[..., None]
    lifted = np.where(inside, np.clip(clean.astype(int) + 20, 0, 255), clean).astype(np.uint8)
    everywhere = np.clip(clean.astype(int) + 20, 0, 255).astype(np.uint8)
    assert reference.measure(lifted)['seam'] > 5 * reference.measure(everywhere)['seam']


def test_flicker_ignores_errors_that_stay(reference, clip):
    clean, _, masks = clip
    inside = (masks != 0)[..., None]
    rng = np.random.default_rng(0)

    def disturbed(offset):
        return np.where(inside, np.clip(clean + offset, 0, 255), clean).astype(np.uint8)

    still = disturbed(rng.integers(-20, 20, clean.shape[1:]))
    jumping = disturbed(rng.integers(-20, 20, clean.shape))
    assert reference.measure(jumping)['flicker'] > 10 * reference.measure(still)['flicker']


def test_warping_error_follows_the_motion(bikes):
    """On a picture that slides, the truth has no warping error, and a pattern fixed to the screen
    has one.
    """
    from lada.video import read_frames

    picture = read_frames(bikes, 40, 41)[0]
    clean = np.stack([picture[60:188, 100 + 3 * t : 228 + 3 * t] for t in range(4)])
    masks = np.zeros(clean.shape[:3], bool)
    masks[:, 32:96, 32:96] = True
    reference = ClipReference(clean, masks)
    noise = np.random.default_rng(0).integers(-15, 15, clean.shape[1:])
    stuck = np.where(masks[..., None], np.clip(clean + noise, 0, 255), clean).astype(np.uint8)
    assert reference.measure(clean)['warp'] < 1.5
    assert reference.measure(stuck)['warp'] > 4 * reference.measure(clean)['warp']


def test_no_mosaic_has_no_region_scores(clip):
    clean, mosaic, masks = clip
    scores = ClipReference(clean, np.zeros(masks.shape, bool)).measure(mosaic)
    assert {name for name, value in scores.items() if math.isnan(value)} == {
        'psnr_mosaic',
        'ssim_mosaic',
        'seam',
        'warp',
        'flicker',
    }
    single = ClipReference(clean[:1], masks[:1] != 0).measure(mosaic[:1])
    assert (
        math.isnan(single['warp']) and math.isnan(single['flicker']) and single['psnr_mosaic'] > 0
    )


def test_perceptual_distance_gets_the_region(clip):
    clean, mosaic, masks = clip
    seen = []

    def distance(a, b):
        seen.append((a.shape, b.shape))
        return 0.25

    assert ClipReference(clean, masks != 0, distance).measure(mosaic)['lpips'] == 0.25
    _, _, width, height = cv2.boundingRect(masks.max(axis=0))
    assert seen == [((6, height + 16, width + 16, 3),) * 2]


def test_wrong_shape(reference, clip):
    with pytest.raises(ValueError, match='frames of shape'):
        reference.measure(clip[0][:2])
