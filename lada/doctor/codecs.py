"""Whether the codecs do what the toolkit asks of them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from lada.doctor.finding import OK, PIP, PROBLEM, Finding
from lada.text import one_line

_CLOSE = 24
"""Mean error in grey levels that no codec exceeds at the qualities asked for here."""


def codecs() -> list[Finding]:
    """Encode and decode some frames with each codec that data sets and degradations use."""
    import numpy as np

    from lada.video import clip_encoding, mask_encoding, recompress
    from lada.video.recompress import DECODERS

    ramp = np.arange(64, dtype=np.uint8) * 3
    picture = np.stack([ramp[:, None] + ramp[None] // 4] * 3, -1)
    clip = np.stack([np.roll(picture, shift, 0) for shift in range(4)])
    mask = (clip[..., 0] > 100).astype(np.uint8) * 255

    def closely(came_back) -> bool:
        return bool(np.abs(came_back.astype(int) - clip).mean() < _CLOSE)

    trials: dict[str, Callable[[], bool]] = {
        'clips (H.264)': lambda: closely(_through_a_file('clip.mp4', clip, clip_encoding())),
        'masks (FFV1)': lambda: bool(
            (_through_a_file('mask.mkv', mask, mask_encoding()) == mask).all()
        ),
    }
    for encoder in DECODERS:
        trials[encoder] = lambda encoder=encoder: closely(
            recompress(clip, encoder, bits_per_frame=40_000)
        )
    return [examined(trials)]


def examined(trials: dict[str, Callable[[], bool]]) -> Finding:
    """Say which codecs work.

    Args:
        trials: by the codec's name, what tells whether the frames came back.
    """
    failed = []
    for name, trial in trials.items():
        try:
            if not trial():
                failed.append(f'{name} gives other frames back')
        except Exception as error:  # whatever a library raises
            failed.append(f'{name}: {one_line(error)}')
    if failed:
        remedy = f'{PIP} install --force-reinstall --no-deps av'
        return Finding('codecs', PROBLEM, '; '.join(failed), remedy)
    return Finding('codecs', OK, ', '.join(trials))


def _through_a_file(name: str, frames, encoding: dict):
    from lada.video import read_frames, write_video

    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_video(path, frames, 25, **encoding)
        return read_frames(path, gray=frames.ndim == 3)
