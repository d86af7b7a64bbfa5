"""What measuring a clip costs beside the inference that makes it: 30 frames of 256x256, the demo's
network, one thread.

    python benchmarks/metric_cost.py

All are timed in one process, alternating; read the ratios. The perceptual scores, which nobody
measures unasked, have random weights here.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from torchvision.models import get_model

from lada.evaluation.baselines import ClipGrid
from lada.evaluation.scores import ClipReference, Score, build_scores
from lada.evaluation.scores.dists import DISTS
from lada.evaluation.scores.lpips import LPIPS
from lada.evaluation.scores.vmaf import VMAF
from lada.models import BasicVSRPlusPlusNet
from lada.mosaic import MosaicLook, draw_mosaic
from lada.video import read_frames

VIDEO = Path(__file__).resolve().parents[1] / 'assets/sample_videos/bikes.mp4'
FRAMES, BLOCK, ROUNDS = 30, 12, 3


def perceptual() -> list[Score]:
    with tempfile.TemporaryDirectory() as folder:
        for name in ('alexnet', 'vgg16'):
            torch.save(get_model(name).state_dict(), Path(folder, name))
        return [LPIPS(Path(folder, 'alexnet')), DISTS(Path(folder, 'vgg16')), VMAF()]


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    clean = np.ascontiguousarray(read_frames(VIDEO, 100, 100 + FRAMES)[:, 8:264, 200:456])
    masks = np.zeros(clean.shape[:3], np.uint8)
    cv2.ellipse(masks[0], (128, 128), (80, 64), 0, 0, 360, 255, -1)
    masks[1:] = masks[0]
    mosaic, masks = draw_mosaic(clean, masks, MosaicLook('squa_avg', BLOCK))
    masks = masks != 0
    network = BasicVSRPlusPlusNet(mid_channels=16, num_blocks=2, is_low_res_input=False).eval()
    scores = build_scores()
    clip = torch.from_numpy(mosaic).permute(0, 3, 1, 2)[None].float() / 255

    def inference():
        with torch.inference_mode():
            network(clip)

    def measure():
        """Score the restored clip."""
        grid = ClipGrid(masks, (BLOCK, BLOCK), np.zeros((FRAMES, 2)))
        ClipReference(clean, masks, mosaic, grid).measure(mosaic, scores)

    def measure_all():
        """Score the restored clip and all baselines."""
        grid = ClipGrid(masks, (BLOCK, BLOCK), np.zeros((FRAMES, 2)))
        reference = ClipReference(clean, masks, mosaic, grid)
        for frames in (mosaic, *grid.interpolate(mosaic), mosaic):
            reference.measure(frames, scores)

    def measuring(score):
        return lambda: ClipReference(clean, masks).measure(mosaic, [score])

    jobs = dict(network=inference, alone=measure, everything=measure_all)
    jobs |= {score.title: measuring(score) for score in perceptual()}
    times: dict[str, list[float]] = {}
    for number in range(ROUNDS + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if number:  # the first round warms up
                times.setdefault(name, []).append(time.perf_counter() - started)
    network_time, alone, everything, *others = (median(values) for values in times.values())
    print(
        f'inference {network_time:.2f} s; metrics of the restored clip {alone:.3f} s ='
        f' {alone / network_time:.1%}; with both baselines {everything:.3f} s ='
        f' {everything / network_time:.1%}'
    )
    for name, value in zip(list(jobs)[3:], others, strict=True):
        print(f'{name} of the restored clip {value:.2f} s = {value / network_time:.1%}')


if __name__ == '__main__':
    main()
