"""Time and strength of the codecs that degrade clips, against the codec floor and against slower
settings.

    python benchmarks/degrading_codecs.py

For 30 frames of 256x256 from a sample video, one thread: processor milliseconds of `recompress`; of
the same encode and decode of frames that are already Y'CbCr and are not converted back (the floor);
their ratio; and over the range of qualities used in training the PSNR that is left and the size,
for the settings used and for settings chosen for quality.
"""

import argparse
import statistics
import time
from pathlib import Path

import av
import cv2
import numpy as np

from lada.video import read_frames
from lada.video.colour import planes_to_rgb
from lada.video.pixel_format import plane_array, yuv420p_frame
from lada.video.recompress import DECODERS, open_encoder, recompress

SAMPLES = Path(__file__).resolve().parents[1] / 'assets' / 'sample_videos'
QUALITIES = {
    'libx264': [{'crf': crf} for crf in (16, 22, 28)],
    'libx265': [{'crf': crf} for crf in (20, 28, 36)],
    'libvpx-vp9': [{'bits_per_frame': bits} for bits in (6_000, 11_000, 16_000)],
    'mpeg2video': [{'bits_per_frame': bits} for bits in (18_000, 29_000, 40_000)],
}
SLOWER = {
    'libx264': {'preset': 'medium'},
    'libx265': {'preset': 'medium'},
    'libvpx-vp9': {'deadline': 'good', 'cpu-used': '1', 'lag-in-frames': '25'},
    'mpeg2video': {},
}


def recode(codec, pictures, quality, options=None):
    """Encode and decode yuv420p frames; yields the bits of each packet and the frames it gave."""
    encoder = open_encoder(codec, pictures[0].width, pictures[0].height, options=options, **quality)
    decoder = av.CodecContext.create(DECODERS[codec], 'r')
    decoder.thread_count = 1
    for index, picture in enumerate([*pictures, None]):
        if picture is not None:
            picture.pts, picture.time_base = index, encoder.time_base
        for packet in encoder.encode(picture):
            yield 8 * packet.size, decoder.decode(packet)
    yield 0, decoder.decode(None)


def run(*args):
    """:func:`recode` and keep nothing."""
    for _ in recode(*args):
        pass


def milliseconds(repeats, function, *args, **kwargs):
    function(*args, **kwargs)
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        function(*args, **kwargs)
        times.append(1000 * (time.process_time() - begin))
    return statistics.median(times)


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(np.float32) - other) ** 2))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--repeats', type=int, default=5)
    args = parser.parse_args()
    cv2.setNumThreads(0)
    clips = {
        'bigbuckbunny': read_frames(SAMPLES / 'bigbuckbunny.mp4', 0, 30)[
            :, 200:456, 500:756
        ].copy(),
        'bikes': read_frames(SAMPLES / 'bikes.mp4', 40, 70)[:, 8:264, 100:356].copy(),
    }
    for name, clip in clips.items():
        pictures = [yuv420p_frame(frame, 'bt601') for frame in clip]
        print(
            f'{name}\n{"codec":12} {"quality":22} {"ms":>6} {"floor":>6} {"ratio":>5}   '
            f'{"dB":>5} {"kbit/frame":>10}   slower: {"dB":>5} {"kbit/frame":>10}'
        )
        for codec, qualities in QUALITIES.items():
            for quality in qualities:
                whole = milliseconds(args.repeats, recompress, clip, codec, **quality)
                floor = milliseconds(args.repeats, run, codec, pictures, quality)
                strengths = []
                for options in (None, SLOWER[codec]):
                    packets = list(recode(codec, pictures, quality, options))
                    left = np.stack(
                        [
                            planes_to_rgb(
                                *(plane_array(plane) for plane in picture.planes), 'bt601'
                            )
                            for _, decoded in packets
                            for picture in decoded
                        ]
                    )
                    strengths.append(
                        (psnr(left, clip), sum(bits for bits, _ in packets) / 1000 / len(clip))
                    )
                (dB, kbit), (slow_dB, slow_kbit) = strengths
                print(
                    f'{codec:12} {quality!s:22} {whole:6.1f} {floor:6.1f} {whole / floor:5.2f}   '
                    f'{dB:5.1f} {kbit:10.1f}           {slow_dB:5.1f} {slow_kbit:10.1f}'
                )


if __name__ == '__main__':
    main()
