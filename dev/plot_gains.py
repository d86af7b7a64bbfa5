"""Draw docs/pictures/gains.png: gain of the starter network by block size and by frames.

Clips of a validation set are covered anew with square mosaics of known block sizes, so that every
block size has the same content, and restored. By frames: the middle frame of ten is measured, of
which the network is given fewer and fewer. Prints the table beside the picture.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from lada.checkpoints.finding import starter_weights
from lada.data.data_sample import DataSample
from lada.engine.config import load_config
from lada.evaluation.frames import to_frames
from lada.evaluation.measure import measure_clip
from lada.evaluation.results import BASELINES
from lada.evaluation.scores.psnr import MosaicPSNR
from lada.evaluation.spacing import evenly_spaced
from lada.inference.evaluate import build_dataset
from lada.inference.loading import load_restorer
from lada.mosaic import MosaicLook, draw_mosaic

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/basicvsrpp/mosaic_restoration_starter.py'
BLOCKS = (3, 4, 6, 8, 11, 14, 18, 24)
FRAMES = (1, 2, 4, 6, 10)
STARTER = 'starter'
Gains = dict[int, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', required=True, help='root of a dataset of unseen videos')
    parser.add_argument('--weights', type=Path, help='other weights than the shipped ones')
    parser.add_argument('--num-clips', type=int, default=48, help='evenly spaced over the set')
    parser.add_argument('--block', type=int, default=8, help='block size of the plot by frames')
    parser.add_argument('--output', type=Path, default=ROOT / 'docs/pictures/gains.png')
    args = parser.parse_args()
    config = load_config(str(CONFIG))
    config.val_dataloader.dataset.num_frame = max(FRAMES)
    weights = args.weights or starter_weights()
    model = load_restorer(config, weights, torch.device('cpu'))
    dataset = build_dataset(config, args.data)
    clips = [dataset[number] for number in evenly_spaced(len(dataset), args.num_clips)]
    clips = [clip['data_samples'] for clip in clips]
    clips = [clip for clip in clips if len(clip.gt_img) == max(FRAMES)]
    by_block = {block: mean_gains(model, clips, block, 6) for block in BLOCKS}
    by_frames = {count: mean_gains(model, clips, args.block, count, True) for count in FRAMES}
    show('block', by_block)
    show('frames', by_frames)
    draw(args.output, by_block, by_frames, args.block)


def mean_gains(
    model, clips: list[DataSample], block: int, count: int, middle: bool = False
) -> dict[str, float]:
    """Mean gain in dB over the mosaic, by restoration, with ``count`` frames around the middle, of
    all of them or of the middle one.
    """
    gains = defaultdict(list)
    for clip in clips:
        centre = len(clip.gt_img) // 2
        first = centre - count // 2
        measured = slice(centre - first, centre - first + 1) if middle else slice(0, count)
        for name, gain in gains_of(model, clip, block, slice(first, first + count), measured):
            gains[name].append(gain)
    return {name: float(np.mean(values)) for name, values in gains.items()}


def gains_of(model, clip: DataSample, block: int, frames: slice, measured: slice):
    """Yield (restoration, gain in dB) of the ``measured`` ones of the ``frames`` of a clip."""
    truth = to_frames(clip.gt_img[frames])
    mosaic, masks = draw_mosaic(
        truth, clip.mosaic_mask[frames].numpy(), MosaicLook('squa_avg', block)
    )
    sample = DataSample(
        gt_img=clip.gt_img[frames],
        mosaic_mask=torch.from_numpy(masks),
        metainfo=clip.metainfo
        | dict(mosaic_block=(block, block), mosaic_origin=np.zeros((len(truth), 2))),
    )
    inputs = torch.from_numpy(mosaic).permute(0, 3, 1, 2).contiguous()
    with torch.no_grad():
        found = model.val_step(dict(inputs=[inputs], data_samples=[sample]))[0].to_dict()
    fields = ('gt_img', 'mosaic_mask', 'input', 'pred_img')
    found |= {name: found[name][measured] for name in fields}
    found['mosaic_origin'] = found['mosaic_origin'][measured]
    restored = {STARTER: to_frames(found['pred_img'])}
    result = measure_clip(found, restored, [MosaicPSNR()]).result
    for name in (*BASELINES[1:], STARTER):
        yield name, result.value(name, 'gain')


def show(title: str, gains: Gains) -> None:
    names = list(next(iter(gains.values())))
    print(f'| {title} | {" | ".join(names)} |')
    for key, values in gains.items():
        print(f'| {key} | {" | ".join(f"{values[name]:+.2f}" for name in names)} |')


def draw(path: Path, by_block: Gains, by_frames: Gains, block: int) -> None:
    # Imported here: nothing else of this file needs it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout='constrained')
    FigureCanvasAgg(figure)
    panels = (
        (by_block, 'block side in pixels of 256', 'By block size, six frames'),
        (by_frames, 'frames given', f'By frames, blocks of {block} pixels'),
    )
    for number, (gains, label, title) in enumerate(panels, 1):
        axes = figure.add_subplot(1, 2, number)
        for name in next(iter(gains.values())):
            axes.plot(list(gains), [gains[key][name] for key in gains], marker='o', label=name)
        axes.set_title(title)
        axes.set_xlabel(label)
        axes.set_ylabel('gain over the mosaic (dB)')
        axes.set_xticks(list(gains))
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=90)


if __name__ == '__main__':
    main()
