"""Write the README's pictures of the starter network: docs/pictures/starter.jpg and starter.png.

A mosaic is drawn on the sample video that no shipped weights have seen, encoded, found and restored
as restore-video.py does it.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from lada.checkpoints.finding import starter_weights
from lada.evaluation.pictures import make_strip, side_by_side
from lada.inference.loading import load_generator
from lada.inference.restore import Item, Restorer, feathered
from lada.inference.restore_video import blended
from lada.mosaic import MosaicLook, draw_mosaic
from lada.mosaic.find import find_mosaics, mask_of
from lada.video import encode_animation, read_frames, write_video

ROOT = Path(__file__).resolve().parents[1]
FRAMES, SIZE, BLOCK, FEATHER = 40, (640, 360), 6, 4
SHOWN = slice(60, 260), slice(180, 420)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--weights', type=Path, help='other weights than the shipped ones')
    args = parser.parse_args()
    large = read_frames(ROOT / 'assets/sample_videos/bigbuckbunny.mp4', 0, FRAMES)
    truth = np.stack([cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA) for frame in large])
    masks = np.zeros(truth.shape[:3], np.uint8)
    for number, mask in enumerate(masks):
        cv2.ellipse(mask, (270 + number, 165), (70, 62), 0, 0, 360, 255, -1)
    drawn, _ = draw_mosaic(truth, masks, MosaicLook('squa_avg', BLOCK))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'mosaic.mp4'
        write_video(path, drawn, 25, options={'crf': '18'})
        mosaic = read_frames(path)
    items = [
        Item(None, frame, mask_of(regions, frame.shape[:2]), regions=regions)  # pyright: ignore[reportArgumentType]
        for frame, regions in zip(mosaic, find_mosaics(mosaic), strict=True)
    ]
    cpu = torch.device('cpu')
    generator = load_generator(args.weights or starter_weights(), cpu)
    restored = [
        blended(item, None if item.restored is None else feathered(item.mask, FEATHER)[item.box()])
        for item in Restorer(generator, cpu).run(items)
    ]
    clips = [clip[:, *SHOWN] for clip in (mosaic, np.stack(restored), truth)]
    clips = [np.repeat(np.repeat(clip, 2, axis=1), 2, axis=2) for clip in clips]
    strip = make_strip(*clips, frame_indices=[4, FRAMES - 8])
    folder = ROOT / 'docs/pictures'
    cv2.imwrite(str(folder / 'starter.jpg'), strip[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    small = side_by_side(*(clip[8:32:2, 60:340:2, 80:400:2] for clip in clips))
    (folder / 'starter.png').write_bytes(encode_animation(small, 8))


if __name__ == '__main__':
    main()
