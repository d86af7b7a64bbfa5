"""Videos that were once restored wrongly or not at all (tests/cases), and what is expected of
them: each through the command.
"""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.sidedata.sidedata import Type

from lada.models import BasicVSRPlusPlusNet
from lada.video import iter_frames, probe, read_frames
from lada.video.boxes import read_boxes
from lada.video.orientation import Orientation, display_matrix, orientation_of, side_data

CASES = Path(__file__).resolve().parents[1] / 'cases'


@pytest.fixture(scope='module')
def white(tmp_path_factory):
    """A checkpoint of the network that costs least."""
    generator = BasicVSRPlusPlusNet(mid_channels=8, num_blocks=1, is_low_res_input=True)
    weights = {f'generator.{key}': value for key, value in generator.state_dict().items()}
    path = tmp_path_factory.mktemp('weights') / 'iter_1.pth'
    torch.save({'state_dict': weights}, path)
    return path


@pytest.fixture
def restore(run_script_file, white):
    """Return a function that restores a case's video and returns the notes."""

    def run(source, target, *args):
        status, out, err = run_script_file(
            'restore-video.py', '--input', source, '--checkpoint', white, '--output', target,
            '--boxes', source.parent / 'boxes.csv', '--device', 'cpu', '--size', 64,
            '--window', 6, '--overlap', 1, *args,
        )  # fmt: skip
        assert status == 0, err
        assert sum(1 for _ in iter_frames(target)) == probe_frames(source)
        return [line for line in out.splitlines() if line.startswith('note:')]

    return run


def probe_frames(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def first_frame(path):
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def outside_box(source, target):
    """Return the mean difference of two videos in grey levels outside of a case's boxes."""
    before, after = read_frames(source), read_frames(target)
    outside = np.ones(before.shape[1:3], bool)
    for region in read_boxes(source.parent / 'boxes.csv').of(source):
        top, left, bottom, right = region.box
        outside[top:bottom, left:right] = False
    return np.abs(before.astype(int) - after)[:, outside].mean()


def streams(path):
    with av.open(str(path)) as container:
        return [
            (stream.type, stream.codec_context and stream.codec_context.name)
            for stream in container.streams
        ]


def audio_times(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.time_base is not None
        return [
            float(packet.dts * stream.time_base)
            for packet in container.demux(stream)
            if packet.dts is not None
        ]


def test_avi_with_reordered_pictures(restore, tmp_path, times):
    source = CASES / 'avi_b_frames/bfr.avi'
    assert restore(source, tmp_path / 'out.mp4') == []
    assert times(tmp_path / 'out.mp4') == pytest.approx(np.arange(24) / 25)
    assert outside_box(source, tmp_path / 'out.mp4') < 2


def test_packed_pictures(restore, tmp_path, times):
    source = CASES / 'packed_b_frames/packed.avi'
    assert restore(source, tmp_path / 'out.mp4') == []
    shown = times(tmp_path / 'out.mp4')
    assert np.diff(shown)[1:] == pytest.approx([0.04] * (len(shown) - 2))
    assert outside_box(source, tmp_path / 'out.mp4') < 2


@pytest.mark.parametrize('suffix', ['.mkv', '.mp4'])
def test_cover_art_is_kept(restore, tmp_path, suffix):
    source, target = CASES / 'cover_art/cover.mkv', tmp_path / f'out{suffix}'
    assert restore(source, target) == []
    covers = []
    for path in (source, target):
        with av.open(str(path)) as container:
            (cover,) = [s for s in container.streams.video if s.disposition & 1024]
            (packet,) = [p for p in container.demux(cover) if p.size]
            covers.append(bytes(packet))
    assert covers[0] == covers[1]
    assert len(streams(target)) == len(streams(source))


def test_cover_art_is_named_where_it_is_lost(restore, tmp_path):
    notes = restore(CASES / 'cover_art/cover.mkv', tmp_path / 'out.mov')
    assert notes == ['note: stream 2 (cover picture, mjpeg) is not copied: .mov does not take it']


def test_audio_packets_of_one_time(restore, tmp_path):
    source = CASES / 'duplicate_audio_dts/dup_audio_dts.mkv'
    (note,) = restore(source, tmp_path / 'out.mp4')
    assert 'first at 0.426 s' in note
    before, after = audio_times(source), audio_times(tmp_path / 'out.mp4')
    assert len(before) == len(after) and (np.diff(after) > 0).all()
    assert after == pytest.approx(before, abs=0.0015)


def test_hdr10_metadata_stay(restore, tmp_path):
    source = CASES / 'hdr10_metadata/hdr.mp4'
    assert restore(source, tmp_path / 'out.mp4') == []
    before, after = first_frame(source), first_frame(tmp_path / 'out.mp4')
    display = [
        np.frombuffer(side_data(frame, Type.MASTERING_DISPLAY_METADATA)[:80], np.int32)
        for frame in (before, after)
    ]
    assert np.array_equal(display[0][::2] / display[0][1::2], display[1][::2] / display[1][1::2])
    light = [side_data(frame, Type.CONTENT_LIGHT_LEVEL) for frame in (before, after)]
    assert light[0] == light[1] is not None


def test_field_order_stays(restore, tmp_path):
    source, target = CASES / 'interlaced_flag/i2.mkv', tmp_path / 'out.mkv'
    assert restore(source, target) == []
    assert first_frame(target).interlaced_frame
    orders = []
    for path in (source, target):
        with av.open(str(path)) as container:
            orders.append(container.streams.video[0].codec_context.field_order)
    assert orders[0] == orders[1] == 4  # coded top, shown bottom field first (AV_FIELD_TB)


def test_joined_recordings_get_one_run_of_time(restore, tmp_path, times):
    source, target = CASES / 'joined_transport_streams/concat.ts', tmp_path / 'out.mp4'
    (note,) = restore(source, target)
    assert 'jumps by -0.96 s at 2.44 s' in note
    shown, heard = times(target), audio_times(target)
    assert np.diff(shown) == pytest.approx([0.04] * 47, abs=0.001)
    assert (np.diff(heard) > 0).all() and max(np.diff(heard)) < 0.05
    assert shown[-1] == pytest.approx(heard[-1], abs=0.15)


def test_mirrored_pictures_look_as_before(restore, tmp_path):
    source, target = CASES / 'mirrored_display_matrix/hflip.mp4', tmp_path / 'out.mp4'
    assert restore(source, target) == []
    matrix = display_matrix(first_frame(source))
    assert orientation_of(matrix) == Orientation(0, mirrored=True)
    assert display_matrix(first_frame(target)) == matrix
    assert outside_box(source, target) < 2


@pytest.mark.parametrize('suffix', ['.mp4', '.webm'])
def test_odd_sizes_of_420(restore, tmp_path, suffix):
    source, target = CASES / 'odd_size_420/odd.webm', tmp_path / f'out{suffix}'
    notes = restore(source, target)
    # PyAV cannot tell a file how wide a pixel is, and VP9 does not say so itself.
    assert len(notes) == 1
    assert ('stored as yuv444p' if suffix == '.mp4' else 'pixel aspect ratio 322/321') in notes[0]
    assert (probe(target).width, probe(target).height) == (321, 181)
    assert probe(target).pix_fmt == ('yuv444p' if suffix == '.mp4' else 'yuv420p')
    assert outside_box(source, target) < 3


def test_pcm_whose_layout_is_not_named(restore, tmp_path):
    source, target = CASES / 'pcm_from_avi_to_mp4/pcm.avi', tmp_path / 'out.mp4'
    assert restore(source, target) == []
    samples = []
    for path in (source, target):
        with av.open(str(path)) as container:
            parts = [frame.to_ndarray() for frame in container.decode(audio=0)]
            samples.append(np.concatenate(parts, axis=1))
    assert np.array_equal(*samples)


def test_colours_of_rgb(restore, tmp_path):
    source, target = CASES / 'rgb_coded_colours/rgb.mkv', tmp_path / 'out.mkv'
    assert restore(source, target) == ['note: RGB (gbrp) is stored as yuv444p, BT.709']
    assert outside_box(source, target) < 3
    restore(source, target, '--codec', 'ffv1', '--overwrite')
    assert outside_box(source, target) < 0.5


def test_names_as_long_as_the_file_system_takes(restore, tmp_path):
    shutil.copytree(CASES / 'avi_b_frames', tmp_path / 'in')
    name = '動' * 82 + 'xy'
    source = tmp_path / 'in' / f'{name}.avi'
    (tmp_path / 'in/bfr.avi').rename(source)
    target = tmp_path / f'{name}.mp4'
    restore(source, target, '--compare')
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == ['.mp4'] * 2


def test_frames_are_found_by_number_in_every_case():
    for path in sorted(CASES.glob('*/*')):
        if path.suffix in ('.md', '.csv'):
            continue
        whole = read_frames(path)
        for number in (1, len(whole) // 2 + 1, len(whole) - 1):
            found = read_frames(path, number, number + 1)[0]
            assert np.array_equal(found, whole[number]), (path.name, number)
