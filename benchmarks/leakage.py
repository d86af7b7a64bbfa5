"""Which changed copies of a clip the leakage check finds, on clips cut from the shipped videos.

python benchmarks/leakage.py
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from lada.dataset_tools.check.leakage import find_leaks
from lada.files import file_sha256
from lada.video import clip_encoding, mask_encoding, read_frames, write_video

VIDEOS = Path(__file__).resolve().parents[1] / 'assets' / 'sample_videos'
FRAMES, SIDE = 8, 256
WINDOWS = [('bikes.mp4', start, x) for start in range(2, 242, 20) for x in (0, 320)] + [
    ('bigbuckbunny.mp4', start, x) for start in range(0, 120, 20) for x in (0, 560)
]


def crop(frames: np.ndarray, share: float, at: float = 0.5) -> np.ndarray:
    """Cut ``share`` of the height and width away, ``at`` 0.5 on both sides alike, at 0 on one side
    only.
    """
    height, width = frames.shape[1:3]
    top, left = round(height * share * at), round(width * share * at)
    return frames[
        :, top : top + round(height * (1 - share)), left : left + round(width * (1 - share))
    ]


def resized(frames: np.ndarray, scale: float) -> np.ndarray:
    return np.stack(
        [cv2.resize(f, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for f in frames]
    )


def rotated(frames: np.ndarray, degrees: float) -> np.ndarray:
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1)
    return np.stack(
        [cv2.warpAffine(f, turn, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT) for f in frames]
    )


CHANGES: dict[str, tuple[Callable, str]] = {
    'the same frames, encoded again': (lambda f: f, '23'),
    'encoded badly (crf 40)': (lambda f: f, '40'),
    'half as large': (lambda f: resized(f, 0.5), '23'),
    'later frames of the same shot': (lambda f: f[FRAMES // 2 :], '23'),
    'brighter, more contrast': (lambda f: np.clip(f * 1.2 + 10, 0, 255).astype(np.uint8), '23'),
    'black border added': (lambda f: np.pad(f, ((0, 0), (40, 40), (0, 20), (0, 0))), '23'),
    'mirrored': (lambda f: f[:, :, ::-1], '23'),
    'cropped by 5 %': (lambda f: crop(f, 0.05), '23'),
    'cropped by 10 %': (lambda f: crop(f, 0.1), '23'),
    'cropped by 15 %': (lambda f: crop(f, 0.15), '23'),
    'cropped by 20 %': (lambda f: crop(f, 0.2), '23'),
    'cropped at one corner by 3 %': (lambda f: crop(f, 0.03, 0), '23'),
    'cropped at one corner by 5 %': (lambda f: crop(f, 0.05, 0), '23'),
    'cropped at one corner by 10 %': (lambda f: crop(f, 0.1, 0), '23'),
    'mirrored and cropped by 8 %': (lambda f: crop(f, 0.08)[:, :, ::-1], '23'),
    'turned by 2 degrees': (lambda f: rotated(f, 2), '23'),
    'turned by 5 degrees': (lambda f: rotated(f, 5), '23'),
    'upside down': (lambda f: f[:, ::-1], '23'),
}


def write_clip(root: Path, name: str, frames: np.ndarray, crf: str) -> None:
    folders = [root / f'crop_unscaled_{kind}' for kind in ('img', 'mask', 'meta')]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    encoding = clip_encoding()
    encoding['options'] |= {'crf': crf}
    frames = np.ascontiguousarray(frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2])
    write_video(folders[0] / f'{name}.mp4', frames, 25, **encoding)
    write_video(
        folders[1] / f'{name}.mkv', np.full(frames.shape[:3], 255, np.uint8), 25, **mask_encoding()
    )
    (folders[2] / f'{name}.json').write_text(
        json.dumps(
            {
                'version': 3,
                'name': name,
                'source': {'file': name, 'sha256': file_sha256(folders[0] / f'{name}.mp4')},
                'video_path': f'../crop_unscaled_img/{name}.mp4',
                'mask_path': f'../crop_unscaled_mask/{name}.mkv',
            }
        )
    )


def main() -> None:
    windows = []
    for name, start, x in WINDOWS:
        side = 272 if name == 'bikes.mp4' else 720
        frames = np.stack(
            [f[:side, x : x + side] for f in read_frames(VIDEOS / name, start, start + FRAMES)]
        )
        windows.append(resized(frames, SIDE / side))
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder) / 'train'
        for number, frames in enumerate(windows):
            write_clip(train, f'train {number}', frames, '18')
        print(
            f'{"validation clips are":34} found   pairs of the same video, other place or time  '
            ' other pairs'
        )
        for what, (change, crf) in CHANGES.items():
            val = Path(folder) / what.replace(' ', '_')
            for number, frames in enumerate(windows):
                write_clip(val, f'val {number}', change(frames), crf)
            pairs = {
                (int(leak.train.split()[1]), int(leak.val.split()[1]))
                for leak in find_leaks(train, val)[0]
            }
            found = sum(t == v for t, v in pairs)
            same = sum(t != v and WINDOWS[t][0] == WINDOWS[v][0] for t, v in pairs)
            print(
                f'{what:34} {found:2} of {len(windows)}   {same:4}  '
                f' {len(pairs) - found - same:42}',
                flush=True,
            )


if __name__ == '__main__':
    main()
