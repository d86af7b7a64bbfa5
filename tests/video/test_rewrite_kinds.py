"""Kinds of videos that come back as they were, or with a note: siblings of tests/cases."""

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from lada.video import VideoError, VideoRewriter, probe, read_frames
from lada.video.frames import formats_holding, planar_format
from lada.video.pyav import frame_rate
from lada.video.timeline import Timeline


def rewrite(source, target, **options):
    """Rewrite a file without a change; returns the notes."""
    with VideoRewriter(source, target, threads=1, **options) as rewriter:
        for picture in rewriter.pictures():
            rewriter.write(picture)
    return rewriter.notes


def remux(source, target, change=lambda packet: packet, **options):
    """Copy a file's packets, each as ``change`` gives it back (``None``: left out)."""
    with av.open(str(source)) as old, av.open(str(target), 'w', **options) as new:
        streams = [new.add_stream_from_template(stream, opaque=True) for stream in old.streams]
        for packet in old.demux():
            number = packet.stream.index
            packet = change(packet) if packet.size else None
            if packet is not None:
                packet.stream = streams[number]
                new.mux(packet)
    return target


@pytest.mark.parametrize(
    ('name', 'codec', 'pix_fmt', 'stored'),
    [
        ('a.mkv', 'ffv1', 'bgr0', 'yuv444p'),
        ('a.mov', 'png', 'rgba', 'yuv444p'),
        ('a.avi', 'rawvideo', 'bgr24', 'yuv444p'),
        ('a.mkv', 'ffv1', 'gbrp10le', 'yuv444p10le'),
        ('a.mkv', 'ffv1', 'yuv411p', 'yuv422p'),
        ('a.mkv', 'ffv1', 'yuv410p', 'yuv420p'),
        ('a.mkv', 'ffv1', 'yuv440p', 'yuv444p'),
        ('a.mkv', 'ffv1', 'yuva420p', 'yuv420p'),
        ('a.mkv', 'ffv1', 'gray16le', 'gray12le'),
    ],
)
def test_formats_that_no_usual_encoder_takes(
    make_video, tmp_path, frames, name, codec, pix_fmt, stored
):
    source = make_video(name, codec=codec, pix_fmt=pix_fmt, options={}, images=frames[:3])
    target = tmp_path / 'out.mkv'
    assert len(rewrite(source, target)) == 1 + (pix_fmt == 'rgba')
    assert probe(target).pix_fmt == stored
    before, after = read_frames(source).astype(int), read_frames(target)
    assert np.abs(before - after).mean() < 3 and abs((before - after).mean()) < 0.5


def test_full_range_stays_full_where_the_format_changes(make_video, tmp_path, frames):
    tags = {'color_range': 2, 'colorspace': 1}
    source = make_video(
        'a.mkv', codec='ffv1', pix_fmt='yuv411p', options={}, images=frames[:3], tags=tags
    )
    rewrite(source, tmp_path / 'out.mkv')
    before, after = read_frames(source).astype(int), read_frames(tmp_path / 'out.mkv')
    assert abs((before - after).mean()) < 0.5


def test_nearest_formats():
    assert planar_format('rgb48be') == 'yuv444p16le' and planar_format('p010le') == 'yuv420p10le'
    assert planar_format('ya8') == planar_format('monow') == 'gray'
    assert planar_format('yuva444p') == 'yuv444p' and planar_format('yuv420p10be') == 'yuv420p10le'
    assert formats_holding('yuv411p')[:3] == ['yuv411p', 'yuv422p', 'yuv444p']
    assert formats_holding('yuv444p14le')[-1] == 'yuv444p'


@pytest.mark.parametrize(('mode', 'order'), [('tff', 2), ('bff', 3)])
@pytest.mark.parametrize('suffix', ['mp4', 'ts'])
def test_fields(tmp_path, frames, mode, order, suffix):
    source, target = tmp_path / f'in.{suffix}', tmp_path / f'out.{suffix}'
    with av.open(str(source), 'w') as container:
        stream = container.add_stream('mpeg2video', rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], 'yuv420p'
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct.value
        stream.codec_context.field_order = order
        graph = av.filter.Graph()
        start = graph.add_buffer(template=stream, time_base=Fraction(1, 25))
        fields, end = graph.add('setfield', mode), graph.add('buffersink')
        start.link_to(fields)
        fields.link_to(end)
        graph.configure()
        for number, image in enumerate(frames[:6]):
            frame = av.VideoFrame.from_ndarray(image, 'rgb24').reformat(format='yuv420p')
            frame.pts, frame.time_base = number, Fraction(1, 25)
            graph.push(frame)
            container.mux(stream.encode(graph.pull()))
        container.mux(stream.encode(None))
    assert rewrite(source, target) == []
    with av.open(str(target)) as container:
        assert container.streams.video[0].codec_context.field_order == order
        assert next(container.decode(video=0)).interlaced_frame
    assert rewrite(source, tmp_path / 'out.webm') == [
        'not kept: field order (libvpx-vp9 codes whole frames)'
    ]


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_pictures_of_one_time(make_video, tmp_path, times, suffix):
    """As Matroska holds them: two at 200 ms, two at 360 ms."""
    source = make_video('in.mkv', options={'preset': 'ultrafast', 'bf': '0'})

    def change(packet):
        if packet.pts in (240, 400):
            packet.pts = packet.dts = packet.pts - 40
        return packet

    odd = remux(source, tmp_path / 'odd.mkv', change)
    (note,) = rewrite(odd, tmp_path / f'out{suffix}')
    assert note == '2 timestamps did not increase and were moved, first at 0.200 s'
    expected = np.array(times(source))
    expected[[6, 10]] = 0.201, 0.361
    assert times(tmp_path / f'out{suffix}') == pytest.approx(expected)


def steadied(path, change):
    """Return jumps and the decoding times of each stream, after a change of (stream's type, number
    in it, time in seconds).
    """
    times = {'video': [], 'audio': []}
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux() if packet.dts is not None]
        counts = dict.fromkeys(times, 0)
        for packet in packets:
            kind, base = packet.stream.type, packet.stream.time_base
            time = change(kind, counts[kind], packet.dts * base)
            packet.pts = packet.dts = round(time / base)
            counts[kind] += 1
        timeline = Timeline(container)
        for packet in timeline.steady(packets):
            times[packet.stream.type].append(float(packet.dts * packet.stream.time_base))
    return [tuple(map(float, jump)) for jump in timeline.jumps], times


@pytest.mark.parametrize('by', [-0.3, 20])
def test_a_single_wrong_time_is_no_jump(make_video, by):
    source = make_video('in.ts', audio=True, options={'preset': 'ultrafast', 'bf': '0'})

    def change(kind, number, time):
        return time + Fraction(by) * (kind == 'audio' and number == 5)

    jumps, times = steadied(source, change)
    assert jumps == []
    assert np.diff(times['video']) == pytest.approx([0.04] * 23)
    assert np.diff(times['audio']) == pytest.approx([0.064] * (len(times['audio']) - 1), abs=0.001)


@pytest.mark.parametrize('by', [-0.6, -500, 3600])
def test_a_jump_takes_all_streams_along(make_video, by):
    """The audio behind the jump comes later in the file than the video."""
    source = make_video('in.ts', audio=True, options={'preset': 'ultrafast', 'bf': '0'})

    def change(kind, number, time):
        return time + Fraction(by) * (number >= (12 if kind == 'video' else 8))

    jumps, times = steadied(source, change)
    assert len(jumps) == 1
    before = steadied(source, lambda kind, number, time: time)[1]
    for kind in times:
        assert np.abs(np.array(times[kind]) - before[kind]).max() < 0.1


def test_a_long_pause_is_kept_where_times_do_not_start_anew(make_video):
    source = make_video('in.mkv', audio=True, options={'preset': 'ultrafast', 'bf': '0'})
    jumps, times = steadied(source, lambda kind, number, time: time + 60 * (time > 0.5))
    assert jumps == [] and times['video'][-1] == pytest.approx(60.92)


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_an_input_that_is_cut_short(make_video, tmp_path, suffix):
    source = make_video(f'in{suffix}', audio=True, options={'preset': 'ultrafast', 'crf': '20'})
    if suffix == '.mp4':
        flags = {'movflags': 'faststart'}
        source = remux(source, tmp_path / 'fast.mp4', container_options=flags)
    data = source.read_bytes()
    cut = tmp_path / f'cut{suffix}'
    cut.write_bytes(data[: len(data) * 6 // 10])
    (note,) = rewrite(cut, tmp_path / f'out{suffix}')
    assert note.startswith('the input is cut short: ')
    assert 8 <= len(read_frames(tmp_path / f'out{suffix}')) < 24


@pytest.mark.parametrize(
    ('name', 'suffix', 'form'),
    [
        ('in.mkv', '.mp4', 'mov_text'),
        ('in.mp4', '.mkv', 'srt'),
        ('in.mkv', '.webm', 'webvtt'),
    ],
)
def test_text_goes_into_any_container(make_video, tmp_path, name, suffix, form):
    source, target = make_video(name, subtitles=True), tmp_path / f'out{suffix}'
    assert rewrite(source, target) == []
    with av.open(str(target)) as container:
        stream = container.streams.subtitles[0]
        assert stream.codec_context.name == form
        packets = [packet for packet in container.demux(stream) if packet.size > 2]
    assert [bytes(packet)[-7:] for packet in packets] == [b'words 0', b'ords 10', b'ords 20']
    assert [float(packet.pts * packet.time_base) for packet in packets] == [0, 0.4, 0.8]
    assert [float(packet.duration * packet.time_base) for packet in packets] == [0.3] * 3


def sound(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
        return stream.codec_context.name, np.concatenate(parts, axis=1)


def test_audio_is_converted_where_it_has_to_be(make_video, tmp_path):
    source = make_video('in.mp4', audio=True)
    (note,) = rewrite(source, tmp_path / 'out.webm')
    assert note == (
        'stream 1 (audio, aac) is converted to libopus: .webm does not take it'
        ' (a file with the suffix .mp4 does)'
    )
    name, samples = sound(tmp_path / 'out.webm')
    assert name == 'opus'
    assert samples.shape[1] / 48000 == pytest.approx(sound(source)[1].shape[1] / 16000, abs=0.08)


def test_pcm_that_a_container_does_not_know_stays_lossless(tmp_path, frames):
    source = tmp_path / 'in.avi'
    samples = np.random.default_rng(0).integers(0, 256, (1, 8000), dtype=np.uint8)
    with av.open(str(source), 'w') as container:
        stream = container.add_stream('mpeg4', rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], 'yuv420p'
        audio = container.add_stream('pcm_u8', rate=8000)
        audio.layout = 'mono'
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, 'rgb24')))
        frame = av.AudioFrame.from_ndarray(samples, 'u8', 'mono')
        frame.sample_rate = 8000
        container.mux([*audio.encode(frame), *audio.encode(None), *stream.encode(None)])
    (note,) = rewrite(source, tmp_path / 'out.mp4')
    assert 'converted to flac' in note
    _, kept = sound(tmp_path / 'out.mp4')
    assert np.array_equal(kept.astype(int) // 256 + 128, samples)


def test_what_does_not_keep_turns_is_refused(make_video, tmp_path):
    with pytest.raises(VideoError, match=r'\.ts does not keep how the picture is turned'):
        rewrite(make_video(rotation=90), tmp_path / 'out.ts')
    assert not list(tmp_path.glob('*out*'))


@pytest.mark.parametrize('count', [1, 2])
def test_videos_of_one_or_two_pictures(make_video, tmp_path, frames, count):
    """x265 leaves their decoding times to chance."""
    source = make_video(
        'in.mkv', codec='ffv1', pix_fmt='yuv420p10le', options={}, images=frames[:count]
    )
    assert rewrite(source, tmp_path / 'out.mp4') == []
    assert len(read_frames(tmp_path / 'out.mp4')) == count


def test_rate_of_raw_dv(tmp_path, frames):
    path = tmp_path / 'a.dv'
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('dvvideo', rate=25)
        stream.height, stream.width, stream.pix_fmt = 576, 720, 'yuv420p'
        for image in frames[:3]:
            frame = av.VideoFrame.from_ndarray(image, 'rgb24').reformat(720, 576, 'yuv420p')
            container.mux(stream.encode(frame))
    with av.open(str(path)) as container:
        assert frame_rate(container.streams.video[0]) == 25


def test_further_videos_are_copied(make_video, tmp_path):
    """Matroska does not say when the first packets of reordered video are decoded."""
    one = make_video('one.mkv', options={'preset': 'medium', 'bf': '2'})
    two = tmp_path / 'two.mkv'
    with av.open(str(one)) as old, av.open(str(two), 'w') as new:
        video = old.streams.video[0]
        streams = [new.add_stream_from_template(video, opaque=True) for _ in range(2)]
        for packet in old.demux():
            if packet.size:
                for stream in streams:
                    packet.stream = stream
                    new.mux(packet)
    assert rewrite(two, tmp_path / 'out.mp4') == []
    shown = []
    for path in (two, tmp_path / 'out.mp4'):
        with av.open(str(path)) as container:
            shown.append([frame.time for frame in container.decode(video=1)])
    assert shown[0] == pytest.approx(shown[1]) and len(shown[0]) == 24


def test_odd_sizes_of_more_than_8_bits(make_video, tmp_path, frames, capfd):
    images = frames[:3, :111, :143]
    source = make_video('in.mkv', codec='ffv1', pix_fmt='yuv420p10le', options={}, images=images)
    (note,) = rewrite(source, tmp_path / 'out.mp4')
    assert note == 'yuv420p10le is stored as yuv444p10le: libx265 takes 143x111 in no nearer one'
    assert capfd.readouterr().err == ''
