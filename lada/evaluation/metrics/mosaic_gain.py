"""The headline metric, what the model adds in the mosaic, with everything else that an evaluation
measures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lada.evaluation.frames import field, to_frames
from lada.evaluation.measure import measure_clip
from lada.evaluation.metrics.clip_metric import ClipMetric
from lada.evaluation.results import BASELINES, BICUBIC, CONSISTENT, ClipResult, Evaluation, mean
from lada.evaluation.scores import Score, build_scores
from lada.registry import METRICS

MODEL = 'model'
METHODS = (*BASELINES, MODEL)
_NAMES = {'psnr_mosaic': 'psnr', 'ssim_mosaic': 'ssim', 'psnr': 'frame_psnr', 'ssim': 'frame_ssim'}


@METRICS.register_module()
class MosaicGain(ClipMetric):
    """The gain in dB over the mosaic region, and the scores of :mod:`lada.evaluation.scores`.

    Results, means over clips: ``mosaic/gain`` (PSNR of the model over that of its input),
    ``mosaic/gain_over_bicubic``, ``mosaic/gain_over_consistent``, and for each of ``input``,
    ``bicubic``, ``consistent`` and ``model`` ``mosaic/psnr_*``, ``ssim_*``, ``seam_*``, ``warp_*``,
    ``flicker_*`` and ``consistency_*`` over the region,
    ``frame_psnr_*`` and ``frame_ssim_*`` over the frame, and any other score by its name. A clip's
    PSNR is at most 100 dB; a clip without mosaic is left out of what concerns the region. After
    :meth:`evaluate`, ``evaluation`` holds the values clip by clip.

    Args:
        gt_key: field of the ground truth, (T, 3, H, W) or (3, H, W) in [0, 255].
        pred_key: field of the restored clip, of the same shape.
        input_key: field of the clip with the mosaic; a smaller one is enlarged.
        mask_key: field of the mask (T, H, W), not 0 in the mosaic.
        collect_device: where MMEngine collects results of several processes, ``cpu`` or ``gpu``.
        prefix: put before the names of results and a ``/``; ``mosaic`` when ``None``.
        lpips_weights: torchvision's AlexNet weights, to measure ``lpips_*`` too, which costs more
            than the rest.
        scores: more scores to measure, as configs: ``dict(type='MyScore')`` for a class that is
            registered in :data:`lada.registry.SCORES`. One with the name of a built-in score takes
            its place.
    """

    default_prefix = 'mosaic'

    def __init__(
        self,
        gt_key: str = 'gt_img',
        pred_key: str = 'pred_img',
        input_key: str = 'input',
        mask_key: str = 'mosaic_mask',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        lpips_weights: str | Path | None = None,
        scores: Sequence[dict | Score] | None = None,
    ):
        super().__init__(collect_device, prefix)
        self.pred_key = pred_key
        self._keys = dict(gt_key=gt_key, input_key=input_key, mask_key=mask_key)
        lpips = [dict(type='LPIPS', weights=lpips_weights)] if lpips_weights else []
        self._scores = build_scores([*lpips, *(scores or ())])
        self.evaluation: Evaluation | None = None

    def result_names(self) -> list[str]:
        return [
            'gain',
            'gain_over_bicubic',
            'gain_over_consistent',
            *[_result_name(score.name, method) for score in self._scores for method in METHODS],
        ]

    def measure(self, sample: dict) -> ClipResult:
        restored = {MODEL: to_frames(field(sample, self.pred_key))}
        return measure_clip(sample, restored, self._scores, **self._keys).result

    def compute_metrics(self, results: list[tuple[Any, ClipResult]]) -> dict[str, float]:
        clips = [clip for _, clip in results]
        self.evaluation = evaluation = Evaluation(
            config='', data='', checkpoints={MODEL: ''}, clips=clips
        )
        values = {'gain': evaluation.total(MODEL, 'gain')}
        for baseline in (BICUBIC, CONSISTENT):
            over = [
                clip.value(MODEL, 'psnr_mosaic') - clip.value(baseline, 'psnr_mosaic')
                for clip in clips
            ]
            values[f'gain_over_{baseline}'] = mean(over)
        for score in dict.fromkeys(['psnr_mosaic', *evaluation.score_names()]):
            for method in METHODS:
                values[_result_name(score, method)] = evaluation.total(method, score)
        return values


def _result_name(score: str, method: str) -> str:
    return f'{_NAMES.get(score, score)}_{method}'
