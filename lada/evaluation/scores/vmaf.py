"""VMAF, where its libraries are at hand.

Z. Li et al., "Toward a Practical Perceptual Video Quality Metric", Netflix 2016; the model is
``vmaf_v0.6.1``.
"""

import numpy as np
import torch

from lada.evaluation.scores.perceptual import PerceptualScore, package, to_unit
from lada.registry import SCORES


@SCORES.register_module()
class VMAF(PerceptualScore):
    """Video Multi-Method Assessment Fusion over the bounding box of a clip's masks, 0 to 100, mean
    over frames, through TorchMetrics and vmaf-torch, which ships the model. It looks at brightness
    alone, and sharpening raises it.

    Args:
        device: to compute on.

    Raises :class:`LadaError` without these packages.
    """

    name = 'vmaf'
    title = 'VMAF'
    higher_is_better = True
    meaning = "predicted opinion of viewers (brightness alone) over the mosaic's bounding box"

    def __init__(self, device: str | torch.device = 'cpu'):
        install = 'torchmetrics vmaf-torch einops'
        for needed in ('vmaf_torch', 'einops'):  # TorchMetrics asks for them when measuring
            package(needed, self.title, install)
        video = package('torchmetrics.functional.video', self.title, install)
        self._measure = video.video_multi_method_assessment_fusion
        self._device = device

    def compare(self, frames: np.ndarray, gt: np.ndarray) -> float:
        clips = [to_unit(clip, self._device).transpose(0, 1)[None] for clip in (frames, gt)]
        with torch.inference_mode():
            # libvmaf keeps each frame within these bounds, vmaf-torch does not.
            return self._measure(*clips).clamp(0, 100).mean().item()
