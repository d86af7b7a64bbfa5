"""All scores of one clip, and adding one."""

import math

import numpy as np
import pytest
from mmengine.registry import DefaultScope

from lada.errors import LadaError
from lada.evaluation import psnr, ssim
from lada.evaluation.bootstrap import compare
from lada.evaluation.results import ClipResult, Evaluation
from lada.evaluation.scores import ClipReference, Score, build_scores, find_score
from lada.evaluation.tables import number_text, summary_table, to_csv
from lada.registry import METRICS, SCORES

NAMES = ['psnr_mosaic', 'ssim_mosaic', 'psnr', 'ssim', 'seam', 'warp', 'flicker', 'consistency']


def test_agrees_with_the_functions(measure, clip):
    clean, mosaic, masks = clip
    scores = measure(mosaic)
    assert scores['psnr'] == pytest.approx(
        np.mean([psnr(p, g) for p, g in zip(mosaic, clean, strict=True)])
    )
    assert scores['ssim'] == pytest.approx(
        np.mean([ssim(p, g) for p, g in zip(mosaic, clean, strict=True)])
    )
    mse = np.square(clean.astype(float) - mosaic)[masks != 0].mean()
    assert scores['psnr_mosaic'] == pytest.approx(10 * math.log10(255**2 / mse))
    assert list(scores) == NAMES


def test_the_truth_is_perfect(measure, clip):
    scores = measure(clip[0])
    assert scores['psnr'] == scores['psnr_mosaic'] == 100
    assert scores['ssim_mosaic'] == pytest.approx(1)
    assert scores['seam'] == scores['flicker'] == 0


def test_no_mosaic_has_no_region_scores(clip):
    clean, mosaic, masks = clip
    scores = ClipReference(clean, np.zeros(masks.shape, bool)).measure(mosaic, build_scores())
    assert {name for name, value in scores.items() if math.isnan(value)} == {
        'psnr_mosaic',
        'ssim_mosaic',
        'seam',
        'warp',
        'flicker',
        'consistency',
    }
    single = ClipReference(clean[:1], masks[:1] != 0).measure(mosaic[:1], build_scores())
    assert (
        math.isnan(single['warp']) and math.isnan(single['flicker']) and single['psnr_mosaic'] > 0
    )


def test_wrong_shape(measure, clip):
    with pytest.raises(ValueError, match='frames of shape'):
        measure(clip[0][:2])


def test_what_scores_share_is_computed_once(clip):
    clean, mosaic, masks = clip
    calls = []

    def of_clip(reference):
        calls.append('clip')
        return reference.masks.sum()

    def of_frames(reference, frames):
        calls.append('frames')
        return reference.once(of_clip) + frames.shape[0]

    reference = ClipReference(clean, masks != 0)
    for frames in (mosaic, mosaic, clean, mosaic):
        assert reference.once_for(frames, of_frames) == reference.once(of_clip) + 6
    assert calls == ['frames', 'clip', 'frames', 'frames']


def test_every_registered_score_describes_itself():
    for score in SCORES.module_dict.values():
        assert score.title and score.meaning and isinstance(score.higher_is_better, bool)
        assert find_score(score.name) is score


class Brightness(Score):
    """A score that is added as a contributor would."""

    name, title, unit, digits = 'brightness', 'brightness error', 'levels', 3
    higher_is_better = False
    meaning = 'difference of the mean values'

    def __init__(self, scale=1.0):
        self.scale = scale

    def measure(self, clip, frames):
        return self.scale * abs(float(frames.mean()) - float(clip.gt.mean()))


@pytest.mark.parametrize('scope', ['lada', 'mmengine', 'mmagic'])
def test_a_score_is_one_line_of_a_config(make_sample, clip, scope, monkeypatch):
    monkeypatch.setitem(SCORES.module_dict, 'Brightness', Brightness)
    settings = dict(type='lada.MosaicGain', scores=[dict(type='Brightness', scale=2)])
    with DefaultScope.overwrite_default_scope(scope):
        metric = METRICS.build(settings)
    metric.process(None, [make_sample(key=f'{number}.mp4-000000') for number in range(6)])
    values = metric.evaluate(6)
    expected = 2 * abs(clip[1].mean() - clip[0].mean())
    assert values['mosaic/brightness_model'] == pytest.approx(expected)

    evaluation = metric.evaluation
    assert evaluation.score_names() == [*NAMES, 'brightness']
    assert 'brightness error (levels)' in summary_table(evaluation)
    assert ',brightness\n' in to_csv(evaluation)
    assert number_text(1.0, 'brightness') == '1.000'
    for clip_result in evaluation.clips:
        clip_result.scores['better'] = {'brightness': 0.0}
    verdict = compare(evaluation, 'model', evaluation, 'better', 'brightness').verdict
    assert verdict == 'better'


def test_a_score_may_take_the_place_of_a_built_in_one():
    class Other(Brightness):
        name = 'seam'

    scores = build_scores([Other()])
    assert [score.name for score in scores] == NAMES and isinstance(scores[4], Other)


def test_a_score_that_nobody_registered_is_shown_and_not_compared():
    clips = [
        ClipResult(f'{number}.mp4', 1, None, 0.1, {'input': {'x': 1.0}, 'a': {'x': 2.0}})
        for number in range(6)
    ]
    evaluation = Evaluation('c', 'd', {'a': 'a.pth'}, clips)
    assert evaluation.score_names() == ['x'] and number_text(1.0, 'x') == '1.00'
    with pytest.raises(LadaError, match='unknown whether a higher'):
        compare(evaluation, 'input', evaluation, 'a', 'x')
    with pytest.raises(LadaError, match='both evaluations have x'):
        compare(evaluation, 'input', evaluation, 'a', 'lpips')
