"""A rewriting that failed goes on where it stopped."""

import numpy as np
import pytest

from lada.video import VideoError, VideoRewriter, read_frames


def rewrite(source, target, fail_at=None, **options):
    """Darken every picture; fail when asked to. Returns the number of pictures handed out."""
    count = 0
    with VideoRewriter(source, target, threads=1, **options) as rewriter:
        for number, picture in enumerate(rewriter.pictures(), rewriter.done):
            if number == fail_at:
                raise ValueError('a network without memory')
            picture.planes[0] = picture.planes[0] // 2
            rewriter.write(picture)
            count += 1
    return count


@pytest.mark.parametrize(
    ('suffix', 'codec', 'pix_fmt'),
    [
        ('.mp4', None, 'yuv420p'),
        ('.mkv', None, 'yuv420p'),
        ('.mov', None, 'yuv420p10le'),
        ('.mkv', None, 'yuv420p10le'),
        ('.webm', None, 'yuv420p'),
        ('.mkv', 'ffv1', 'yuv420p'),
        ('.ts', None, 'yuv420p'),
    ],
)
def test_it_goes_on_where_it_stopped(make_video, tmp_path, times, packets, suffix, codec, pix_fmt):
    pts = np.cumsum([0] + [20 + 13 * (number % 4) for number in range(23)]).tolist()
    source = make_video('in.mkv', pix_fmt=pix_fmt, audio=suffix != '.webm', pts=pts)
    whole, target = tmp_path / f'whole{suffix}', tmp_path / f'out{suffix}'
    assert rewrite(source, whole, codec=codec) == 24
    for at in (7, 15):
        with pytest.raises(ValueError, match='memory'):
            rewrite(source, target, fail_at=at, codec=codec, resume=True)
        assert not target.exists()
        assert len(read_frames(tmp_path / f'out-partial{suffix}')) == at
    assert rewrite(source, target, codec=codec, resume=True) == 9
    assert times(target) == pytest.approx(times(whole), abs=0.0011)
    assert packets(target) == packets(whole)
    difference = np.abs(read_frames(target).astype(int) - read_frames(whole))
    assert difference.mean() < 2 and difference.mean(axis=(1, 2, 3)).max() < 3
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ['in.mkv', f'out{suffix}', f'whole{suffix}']


def test_a_shorter_attempt_leaves_the_longer_one(make_video, tmp_path):
    source, target = make_video(), tmp_path / 'out.mp4'
    with pytest.raises(ValueError):
        rewrite(source, target, fail_at=9)
    with pytest.raises(ValueError):
        rewrite(source, target, fail_at=9, resume=True)
    assert len(read_frames(tmp_path / 'out-partial.mp4')) == 9


def test_other_settings_or_another_video_are_refused(make_video, tmp_path, frames):
    source, target = make_video(), tmp_path / 'out.mp4'
    with pytest.raises(ValueError):
        rewrite(source, target, fail_at=9)
    with pytest.raises(VideoError, match='written with other settings'):
        rewrite(source, target, resume=True, options={'preset': 'ultrafast', 'crf': '30'})
    short = make_video('short.mp4', images=frames[:4])
    with pytest.raises(VideoError, match='9 frames are in the file to continue, 4 in'):
        rewrite(short, target, resume=True)
    assert len(read_frames(tmp_path / 'out-partial.mp4')) == 9
