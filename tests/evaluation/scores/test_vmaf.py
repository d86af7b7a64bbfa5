"""VMAF through TorchMetrics and vmaf-torch."""

import cv2
import numpy as np
import pytest

from lada.evaluation.scores.vmaf import VMAF


def test_values_of_libvmaf(bikes):
    """FFmpeg 9.0.2 with libvmaf (imageio-ffmpeg 0.8.1) on the same frames as full-range yuv444p:
    ``scale=out_range=pc:out_color_matrix=bt601,format=yuvj444p`` on both, then ``libvmaf``.
    """
    from lada.mosaic import MosaicLook, draw_mosaic
    from lada.video import read_frames

    clean = np.ascontiguousarray(read_frames(bikes, 100, 130)[:, 8:136, 200:328])
    mosaic, _ = draw_mosaic(
        clean, np.full(clean.shape[:3], 255, np.uint8), MosaicLook('squa_avg', 12)
    )
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in clean])
    compare = VMAF().compare
    assert compare(clean, clean) == pytest.approx(99.90, abs=0.1)
    assert compare(blurred, clean) == pytest.approx(44.73, abs=0.15)
    assert compare(mosaic, clean) == pytest.approx(10.89, abs=0.15)


def test_of_the_region_in_a_table(reference, clip):
    clean, mosaic, _ = clip
    scores = [VMAF()]
    values = [reference.measure(frames, scores)['vmaf'] for frames in (mosaic, clean)]
    assert 0 <= values[0] < 70 < 95 < values[1] <= 100
