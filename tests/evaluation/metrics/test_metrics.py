"""The metrics of a config's val_evaluator."""

import math

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import BaseDataElement

from lada.errors import LadaError
from lada.evaluation import PSNR, SSIM, ClipGrid, MosaicGain, psnr, ssim
from lada.evaluation.metrics import clip_metric
from lada.evaluation.scores import ClipReference, build_scores
from lada.registry import EVALUATOR


def evaluate(metric, samples, size=None):
    metric.process(None, samples)
    return metric.evaluate(len(samples) if size is None else size)


def test_evaluator_of_an_mmagic_config(make_sample):
    config = dict(
        type='Evaluator',
        metrics=[
            dict(type='PSNR'),
            dict(type='SSIM', prefix='x'),
            dict(type='PSNR', region='mosaic'),
            dict(type='MosaicGain'),
        ],
    )
    with DefaultScope.overwrite_default_scope('lada'):
        evaluator = EVALUATOR.build(config)
    sample = BaseDataElement(**make_sample())
    evaluator.process([sample])
    scores = ('psnr', 'ssim', 'frame_psnr', 'frame_ssim', 'seam', 'warp', 'flicker', 'consistency')
    assert set(evaluator.evaluate(1)) == {
        'PSNR',
        'x/SSIM',
        'PSNR_mosaic',
        'mosaic/gain',
        'mosaic/gain_over_bicubic',
        'mosaic/gain_over_consistent',
        *[
            f'mosaic/{score}_{method}'
            for score in scores
            for method in ('input', 'bicubic', 'consistent', 'model')
        ],
    }


def test_values_are_means_over_frames_then_clips(make_sample, clip):
    clean, mosaic, _ = clip
    noise = np.random.default_rng(0).integers(-9, 9, mosaic.shape)
    noisy = np.clip(mosaic + noise, 0, 255).astype(np.uint8)
    samples = [make_sample(), make_sample(noisy, key='b')]
    for metric, function in ((PSNR, psnr), (SSIM, ssim)):
        expected = [
            np.mean([function(p, g) for p, g in zip(pred, clean, strict=True)])
            for pred in (mosaic, noisy)
        ]
        assert evaluate(metric(), samples)[metric.__name__] == pytest.approx(np.mean(expected))


def test_predictions_are_rounded_and_clipped(make_sample):
    sample = make_sample()
    rough = {**sample, 'pred_img': sample['pred_img'].float() + 0.3}
    rough['pred_img'][rough['pred_img'] > 250] = 400
    sample['pred_img'][sample['pred_img'] > 249] = 255
    assert evaluate(PSNR(), [rough]) == evaluate(PSNR(), [sample])


def test_region_is_pooled_over_the_clip(make_sample, clip):
    clean, mosaic, masks = clip
    inside = masks != 0
    mse = np.square(clean.astype(float) - mosaic)[inside].mean()
    expected = 10 * math.log10(255**2 / mse)
    assert evaluate(PSNR(region='mosaic'), [make_sample()])['PSNR_mosaic'] == pytest.approx(
        expected
    )
    weights = [np.count_nonzero(mask) for mask in masks]
    local = [ssim(p, g, mask=mask) for p, g, mask in zip(mosaic, clean, masks, strict=True)]
    value = evaluate(SSIM(region='mosaic'), [make_sample()])['SSIM_mosaic']
    assert value == pytest.approx(np.average(local, weights=weights))


def test_clips_without_mosaic_are_left_out(make_sample):
    empty = make_sample(key='b')
    empty['mosaic_mask'] = torch.zeros_like(empty['mosaic_mask'])
    for metric, name in ((PSNR(region='mosaic'), 'PSNR_mosaic'), (MosaicGain(), 'mosaic/gain')):
        alone = evaluate(metric, [make_sample()])[name]
        assert evaluate(metric, [make_sample(), empty])[name] == alone
        assert math.isnan(evaluate(metric, [empty])[name])


def test_gain_against_both_baselines(make_sample, clip):
    clean, mosaic, masks = clip
    bicubic, _ = ClipGrid(masks, (8, 8), np.zeros((6, 2))).interpolate(mosaic)
    values = evaluate(MosaicGain(), [make_sample(bicubic)])
    assert (
        values['mosaic/psnr_model'] == values['mosaic/psnr_bicubic'] > values['mosaic/psnr_input']
    )
    assert values['mosaic/gain'] == pytest.approx(
        values['mosaic/psnr_model'] - values['mosaic/psnr_input']
    )
    assert values['mosaic/gain_over_bicubic'] == 0
    assert evaluate(MosaicGain(), [make_sample(clean)])['mosaic/psnr_model'] == 100
    turned = make_sample()
    turned['mosaic_origin'] = None
    values = evaluate(MosaicGain(), [turned])
    assert math.isnan(values['mosaic/psnr_bicubic']) and values['mosaic/gain'] == 0


def test_training_reports_what_an_evaluation_reports(make_sample, clip):
    clean, mosaic, masks = clip
    pred = np.clip(mosaic + np.random.default_rng(0).integers(-9, 9, mosaic.shape), 0, 255).astype(
        np.uint8
    )
    metric = MosaicGain()
    values = evaluate(metric, [make_sample(pred), make_sample(clean, key='b.mp4-000000')])
    grid = ClipGrid(masks, (8, 8), np.zeros((len(masks), 2)))
    reference, scores = ClipReference(clean, masks != 0, mosaic, grid), build_scores()
    for name, score in (
        ('ssim', 'ssim_mosaic'),
        ('frame_psnr', 'psnr'),
        ('seam', 'seam'),
        ('warp', 'warp'),
        ('consistency', 'consistency'),
    ):
        expected = [reference.measure(frames, scores)[score] for frames in (pred, clean)]
        assert values[f'mosaic/{name}_model'] == pytest.approx(np.mean(expected))
        assert values[f'mosaic/{name}_input'] == pytest.approx(
            reference.measure(mosaic, scores)[score]
        )
    assert [result.key for result in metric.evaluation.clips] == [
        'bikes.mp4-000000',
        'b.mp4-000000',
    ]
    assert metric.evaluation.clips[0].scores['model'] == reference.measure(pred, scores)


@pytest.mark.parametrize('ranks', [1, 2, 3, 4])
def test_number_of_ranks_changes_nothing(make_sample, clip, monkeypatch, ranks):
    rng = np.random.default_rng(1)
    samples = []
    for number in range(5):
        noise = rng.integers(-5, 6, clip[1].shape)
        samples.append(
            make_sample(np.clip(clip[1] + noise, 0, 255).astype(np.uint8), key=f'clip {number}')
        )
    alone = {**evaluate(PSNR(), samples), **evaluate(MosaicGain(), samples)}
    # As MMEngine's DefaultSampler with round_up: positions r, r + W, ..., the first samples
    # repeated at the end.
    padded = samples * 2
    rounds = -(-len(samples) // ranks)
    together = {}
    for make in (PSNR, MosaicGain):
        parts = []
        for rank in range(ranks):
            metric = make()
            metric.process(None, padded[rank : rounds * ranks : ranks])
            parts.append(metric.results)
        monkeypatch.setattr(clip_metric, 'all_gather_object', lambda results, parts=parts: parts)
        together |= make().evaluate(len(samples))
    assert together == alone


def test_uneven_ranks_and_unknown_names(make_sample, monkeypatch):
    metric = PSNR()
    nameless = make_sample()
    del nameless['key'], nameless['gt_path']
    metric.process(None, [nameless] * 3)
    parts = [metric.results[:2], metric.results[2:]]
    monkeypatch.setattr(clip_metric, 'all_gather_object', lambda results: parts)
    assert metric.evaluate(3) == pytest.approx(evaluate_alone(nameless))


def evaluate_alone(sample):
    return {
        'PSNR': np.mean(
            [
                psnr(p, g)
                for p, g in zip(
                    sample['pred_img'].permute(0, 2, 3, 1).numpy(),
                    sample['gt_img'].permute(0, 2, 3, 1).numpy(),
                    strict=True,
                )
            ]
        )
    }


def test_mistakes_are_named(make_sample):
    with pytest.raises(LadaError, match='region'):
        PSNR(region='border')
    with pytest.raises(LadaError, match="no 'pred_img'"):
        evaluate(PSNR(), [{'gt_img': make_sample()['gt_img'], 'key': 'a'}])
    sample = make_sample()
    sample['pred_img'] = sample['pred_img'][:2]
    for metric in (PSNR(), MosaicGain()):
        with pytest.raises(LadaError, match='scale and clip length'):
            evaluate(metric, [sample])


def test_values_of_mmagics_nested_samples(make_sample):
    flat = make_sample()
    gt, pred = flat['gt_img'], flat['pred_img']
    nested = [
        dict(gt_img=gt, output=dict(pred_img=pred)),
        dict(data_samples=dict(gt_img=gt), output=dict(pred_img=pred)),
    ]
    for metric in (PSNR, SSIM):
        # As a script calls MMagic's metrics, without an evaluator.
        judge = metric()
        judge.process(None, nested)
        value = judge.compute_metrics(judge.results)[metric.__name__]
        assert value == pytest.approx(evaluate(metric(), [flat])[metric.__name__])


def test_luma_has_mmagics_digits():
    # MMagic's own tests expect these values of pictures of ones and of twos.
    ones, twos = np.ones((32, 32, 3)), np.full((32, 32, 3), 2.0)
    assert psnr(ones, twos, convert_to='Y') == pytest.approx(49.4527218, abs=1e-6)
    assert ssim(ones, twos, convert_to='Y') == pytest.approx(0.9987801, abs=1e-6)
