"""Fixtures shared by all tests: the shipped and other videos, a tiny dataset and config, and
training as a process.
"""

import signal
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
# harness.py, which benchmarks share.
sys.path.insert(0, str(ROOT / 'tests' / 'faults'))


def pytest_ignore_collect(collection_path, config):
    """tests/cluster and tests/browser need system packages, the first root as well: only where they
    are asked for (.ci/run).
    """
    name = collection_path.name
    if name in ('cluster', 'browser') and not any(name in arg for arg in config.args):
        return True
    return None


@pytest.fixture(scope='session', autouse=True)
def _pin_threads():
    cv2.setNumThreads(0)
    # The tests run in one process per core.
    torch.set_num_threads(1)


@pytest.fixture(scope='session', autouse=True)
def _let_children_be_interrupted():
    # A shell starts background jobs with SIGINT ignored, and children would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session')
def repo_root() -> Path:
    return ROOT


@pytest.fixture(scope='session')
def bikes(repo_root) -> Path:
    """640x272, 250 frames, several shots."""
    return repo_root / 'assets' / 'sample_videos' / 'bikes.mp4'


@pytest.fixture(scope='session')
def bunny(repo_root) -> Path:
    """1280x720, 132 frames, one shot."""
    return repo_root / 'assets' / 'sample_videos' / 'bigbuckbunny.mp4'


CONFIG = """
_base_ = {demo!r}
work_dir = {work_dir!r}
model = dict(
    generator=dict(_delete_=True, type='MosaicGuidedNet', mid_channels=8, num_blocks=1,
                   head_channels=4, deform_groups=4, flow_channels=(4, 4, 4, 4)),
    train_cfg=dict(fix_iter=3))
train_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(metadata_root_dir={train!r}, num_frame=2))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(metadata_root_dir={val!r}, num_frame=2))
train_cfg = dict(max_iters=8, val_interval=4)
default_hooks = dict(
    checkpoint=dict(interval=2, max_keep_ckpts=-1, out_dir=None),
    logger=dict(interval=1))
"""


def make_clips(root: Path, video: Path, count: int, frames: int = 6, size: int = 64) -> Path:
    """Write ``count`` clips cut from ``video`` and return the metadata folder."""
    from lada.data import ClipMetadata
    from lada.mosaic import base_block_sizes
    from lada.video import clip_encoding, mask_encoding, read_frames, write_video

    masks = np.zeros((frames, size, size), np.uint8)
    masks[:, 16:48, 12:50] = 255
    for number in range(count):
        stem = f'{video.name}-{number:06d}'
        images = read_frames(video, 10 * number, 10 * number + frames)[
            :, 40 : 40 + size, 60 : 60 + size
        ]
        paths = [
            root / folder / f'{stem}{suffix}'
            for folder, suffix in (
                ('crop_unscaled_img', '.mp4'),
                ('crop_unscaled_mask', '.mkv'),
                ('crop_unscaled_meta', '.json'),
            )
        ]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        write_video(paths[0], images, 25, **clip_encoding())
        write_video(paths[1], masks, 25, **mask_encoding())
        ClipMetadata(
            stem=stem,
            name=video.name,
            fps=25.0,
            frames_count=frames,
            orig_shape=(272, 640),
            scene_shape=(size, size),
            base_mosaic_block_size=base_block_sizes(masks, (272, 640)),
            pad=[[0, 0, 0, 0]] * frames,
            video_path=paths[0],
            mask_path=paths[1],
        ).to_file(paths[2])
    return root / 'crop_unscaled_meta'


@pytest.fixture(scope='session')
def clips(tmp_path_factory, bikes, bunny) -> tuple[Path, Path]:
    """Metadata folders of five training and two validation clips."""
    root = tmp_path_factory.mktemp('clips')
    return make_clips(root / 'train', bikes, 5), make_clips(root / 'val', bunny, 2)


def tiny_config(path: Path, work_dir: Path, clips: tuple[Path, Path], extra: str = '') -> Path:
    """Write the config of a run of seconds, with further text appended."""
    demo = ROOT / 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
    values = dict(demo=str(demo), work_dir=str(work_dir), train=str(clips[0]), val=str(clips[1]))
    path.write_text(CONFIG.format(**values) + extra)
    return path


@pytest.fixture(scope='session')
def plain_network() -> str:
    """Config text that puts a small BasicVSR++ in the place of the tiny config's network."""
    return """
model['generator'] = dict(_delete_=True, type='BasicVSRPlusPlusNet', mid_channels=8, num_blocks=1,
                          head_channels=8, deform_groups=4, is_low_res_input=False)
"""


@pytest.fixture
def write_config(tmp_path, clips):
    """Return a function that writes the tiny config for a work directory, with further text
    appended.
    """

    def write(work_dir: Path, extra: str = '') -> Path:
        return tiny_config(tmp_path / f'{work_dir.name}.py', work_dir, clips, extra)

    return write


@pytest.fixture(scope='session')
def server(tmp_path_factory):
    """One fork server for all tests of a process: each training would import for four seconds."""
    from harness import ForkServer

    with ForkServer(tmp_path_factory.mktemp('output')) as server:
        yield server


class Training:
    """The processes of one training, one or two ranks."""

    def __init__(self, runs: list):
        self._runs = runs

    def lives(self) -> bool:
        return any(run.lives() for run in self._runs)

    def kill(self) -> None:
        for run in self._runs:
            run.signal(signal.SIGKILL)
            run.wait()

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: ``(exit status, stdout, stderr)``."""
        status = max((run.wait() for run in self._runs), key=abs)
        return status, *(
            ''.join(getattr(run, name) for run in self._runs) for name in ('output', 'errors')
        )


@pytest.fixture
def start_training(server):
    """Return a function that starts the training script as a process of its own (as two ranks)."""
    started = []

    def start(*args, ranks: int = 1, **environment) -> Training:
        if ranks > 1:
            runs = server.start_group(ranks, *args, apart=True, **environment)
        else:
            runs = [server.start(*args, apart=True, **environment)]
        started.append(Training(runs))
        return started[-1]

    yield start
    for training in started:
        training.kill()


@pytest.fixture
def run_training(start_training):
    """Return a function that runs the training script to its end: ``(exit status, stdout,
    stderr)``.
    """
    return lambda *args, **options: start_training(*args, **options).end()


@pytest.fixture(scope='session')
def frames(bikes):
    """24 frames of 144x112 from one shot."""
    from lada.video import read_frames

    whole = read_frames(bikes, 100, 124)
    return np.stack(
        [cv2.resize(frame[:, 200:550], (144, 112), interpolation=cv2.INTER_AREA) for frame in whole]
    )


@pytest.fixture
def make_video(tmp_path, frames):
    """Return a function that writes a video with chosen features and returns its path."""

    def make(
        name='in.mp4',
        *,
        pix_fmt='yuv420p',
        codec='libx264',
        pts=None,
        rotation=0,
        audio=False,
        subtitles=False,
        tags=(),
        images=frames,
        options=None,
        aspect=None,
    ):
        path = tmp_path / name
        with av.open(str(path), 'w') as container:
            options = {'preset': 'ultrafast', 'crf': '10'} if options is None else options
            stream = container.add_stream(codec, rate=25, options=options)
            stream.height, stream.width = images.shape[1:3]
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
            for key, value in dict(tags).items():
                setattr(stream.codec_context, key, value)
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation:
                stream.set_display_rotation(rotation)
            stream.metadata['language'] = 'eng'
            container.metadata['title'] = 'A title'
            sound = container.add_stream('aac', rate=16000) if audio else None
            if sound:
                sound.layout = 'mono'
            words = (
                container.add_mux_stream('mov_text' if path.suffix == '.mp4' else 'subrip')
                if subtitles
                else None
            )
            if words:
                words.time_base = Fraction(1, 1000)
            for number, image in enumerate(images):
                picture = av.VideoFrame.from_ndarray(image, 'rgb24')
                picture.pts = 40 * number if pts is None else pts[number]
                picture.time_base = Fraction(1, 1000)
                container.mux(stream.encode(picture))
                if sound:
                    samples = av.AudioFrame.from_ndarray(
                        np.sin(np.arange(640) / 9 + number).astype(np.float32)[None], 'fltp', 'mono'
                    )
                    samples.sample_rate, samples.pts = 16000, 640 * number
                    container.mux(sound.encode(samples))
                if words and number % 10 == 0:
                    text = f'words {number}'.encode()
                    packet = av.Packet(
                        len(text).to_bytes(2, 'big') + text if path.suffix == '.mp4' else text
                    )
                    packet.pts = packet.dts = 40 * number
                    packet.duration, packet.time_base, packet.stream = 300, Fraction(1, 1000), words
                    container.mux(packet)
            container.mux(stream.encode(None))
            if sound:
                container.mux(sound.encode(None))
        return path

    return make


@pytest.fixture
def packets():
    """Return a function that lists the packets of all streams but the video: (type, seconds,
    bytes).

    The MP4 muxer fills gaps between subtitles with empty ones, which do not count.
    """

    def read(path):
        with av.open(str(path)) as container:
            found = [
                (packet.stream.type, packet.pts, packet.time_base, bytes(packet))
                for packet in container.demux()
            ]
        return sorted(
            (kind, round(float(pts * base), 3), data)
            for kind, pts, base, data in found
            if kind != 'video' and data.strip(b'\0')
        )

    return read


@pytest.fixture
def times():
    """Return a function that lists the video frames' times in seconds."""

    def read(path):
        with av.open(str(path)) as container:
            return [frame.time for frame in container.decode(video=0)]

    return read
