"""The checkpoint hook knows every score of the validation, and which way is better."""

import pytest

from lada.data import MosaicVideoDataset
from lada.engine.hooks.checkpoint import CheckpointHook
from lada.evaluation.metrics import PSNR, SSIM, MosaicGain

METRICS = [PSNR(), SSIM(region='mosaic'), MosaicGain()]
BETTER = {'psnr': 'greater', 'ssim': 'greater', 'gain': 'greater'}
WORSE = {'seam': 'less', 'warp': 'less', 'flicker': 'less', 'consistency': 'less'}


def names() -> list[str]:
    return [metric.full_name(name) for metric in METRICS for name in metric.result_names()]


@pytest.mark.parametrize('key', names())
def test_the_rule_follows_from_the_score(key):
    [rule] = {rule for part, rule in (BETTER | WORSE).items() if part in key.lower()}
    assert CheckpointHook(save_best=key).rules == [rule]


def test_the_names_are_those_of_the_results(clips):
    sample = MosaicVideoDataset(clips[0], 2)[0]['data_samples']
    fields = {**sample.to_dict(), 'pred_img': sample.gt_img, 'input': sample.gt_img}
    for metric in METRICS:
        metric.process({}, [fields])
        reported = metric.evaluate(1)
        assert set(reported) <= set(map(metric.full_name, metric.result_names()))
        assert len(reported) >= len(metric.result_names()) // 2
