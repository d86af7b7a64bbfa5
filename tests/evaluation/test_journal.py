"""Reading back what an evaluation has measured so far."""

import math

import pytest

from lada.evaluation.journal import JOURNAL, Journal, ShownClip
from lada.evaluation.report import FramePictures
from lada.evaluation.results import ClipResult

IDENTITY = {'clips': 3, 'blocks': [1.5, 2]}
PICTURES = ShownClip(FramePictures('b', 0.1 + 0.2, b'before\xff', b'', b'truth'), b'png')


def result(key):
    scores = {'input': {'psnr': 1 / 3, 'lpips': math.nan, 'ssim': math.inf}}
    return ClipResult(key, 5, (7.5, 8), 0.25, scores, 'film.mp4')


@pytest.fixture
def written(tmp_path):
    journal = Journal(tmp_path / 'out', IDENTITY)
    for key, shown in (('a', None), ('b', PICTURES), ('c', None)):
        journal.add(result(key), shown)
    return tmp_path / 'out'


def keys(journal):
    return [clip.key for clip, _ in journal.read()]


def test_everything_comes_back(written):
    found = list(Journal(written, IDENTITY).read())
    assert [shown for _, shown in found] == [None, PICTURES, None]
    clip = found[0][0]
    assert clip.scores['input']['psnr'] == 1 / 3 and clip.source == 'film.mp4'
    assert math.isnan(clip.scores['input']['lpips']) and clip.scores['input']['ssim'] == math.inf


@pytest.mark.parametrize('cut', [1, 20, 300])
def test_a_line_that_was_cut_short_is_measured_again(written, cut):
    path = written / JOURNAL
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(written, IDENTITY)
    rest = keys(journal)
    assert rest == ['a', 'b', 'c'][: len(rest)] and len(rest) < 3
    journal.add(result('again'), None)
    assert keys(Journal(written, IDENTITY)) == [*rest, 'again']


def test_another_evaluation_begins_anew(written):
    journal = Journal(written, IDENTITY | {'clips': 4})
    assert keys(journal) == []
    assert not (written / JOURNAL).exists()


def test_nothing_is_made_where_there_is_none(tmp_path):
    assert keys(Journal(tmp_path / 'out', IDENTITY)) == []
    assert not (tmp_path / 'out').exists()
