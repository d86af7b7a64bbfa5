"""Picture strips."""

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement

from lada.evaluation import make_strip, save_strip, side_by_side


def test_strip_shows_the_columns_in_order(clip):
    clean, mosaic, _ = clip
    strip = make_strip(mosaic, clean, mosaic, [0, 3])
    height, width = clean.shape[1:3]
    assert strip.shape == (22 + 2 * (height + 4), 3 * (width + 4), 3)
    assert np.array_equal(strip[22 : 22 + height, width + 4 : 2 * width + 4], clean[0])
    assert np.array_equal(strip[26 + height : 26 + 2 * height, :width], mosaic[3])


def test_tensors_rounding_and_smaller_input(clip):
    clean = torch.from_numpy(clip[0]).permute(0, 3, 1, 2)
    strip = make_strip(clean.float() + 0.2, clean, clean)
    assert np.array_equal(strip, make_strip(*[clip[0]] * 3))
    assert make_strip(clean[..., ::4, ::4], clean, clean).shape == strip.shape


def test_file_is_rgb(tmp_path, make_sample):
    sample = BaseDataElement(**make_sample())
    save_strip(tmp_path / 'new' / 'strip.png', sample, frames=[1])
    picture = cv2.cvtColor(cv2.imread(str(tmp_path / 'new' / 'strip.png')), cv2.COLOR_BGR2RGB)
    assert np.array_equal(picture, make_strip(sample.input, sample.pred_img, sample.gt_img, [1]))


def test_side_by_side_is_a_video_that_codecs_take(clip):
    clean, mosaic, _ = clip
    frames = side_by_side(mosaic[:, :-1, :-1], clean[:, :-1, :-1], clean[:, :-1, :-1])
    assert frames.shape[0] == len(clean) and frames.shape[1] % 2 == frames.shape[2] % 2 == 0
    assert np.array_equal(frames[2, 22:100, :100], mosaic[2, :78, :100])
