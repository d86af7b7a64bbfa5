"""Results as JSON, CSV, text and HTML; intervals and comparisons."""

import csv
import io
import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lada.errors import LadaError
from lada.evaluation.bootstrap import compare, interval, total_interval
from lada.evaluation.charts import Series, chart
from lada.evaluation.report import FramePictures, report
from lada.evaluation.results import ClipResult, Evaluation
from lada.evaluation.tables import clip_table, number_text, summary_table, to_csv


def evaluation(gains, sources=8, clips=3, noise=0.1, seed=0):
    """``gains``: mean gain in dB by label."""
    rng = np.random.default_rng(seed)
    results = []
    for number in range(sources * clips):
        scores = {}
        for method, gain in {'input': 0, 'bicubic': 1, 'consistent': 1.5, **gains}.items():
            value = 25 + gain + (0 if method == 'input' else rng.normal(0, noise))
            scores[method] = dict(psnr_mosaic=value, ssim_mosaic=0.8, psnr=value + 9, seam=4 - gain)
        if number == 1:
            del scores['bicubic'], scores['consistent']
            scores['input']['seam'] = math.nan
        key = f'video<{number // clips}>.mp4-{number % clips:06d}'
        results.append(
            ClipResult(key, 6, None if number == 2 else (8.0, 9.5), 0.1 + number / 100, scores)
        )
    return Evaluation(
        'config.py', 'clips', {label: f'{label}.pth' for label in gains}, results, ['A <note>.']
    )


def test_json_round_trip(tmp_path):
    original = evaluation({'a': 1})
    (tmp_path / 'e.json').write_text(original.to_json())
    again = Evaluation.from_file(tmp_path / 'e.json')
    assert again.to_json() == original.to_json()
    assert again.total('a', 'gain') == original.total('a', 'gain')
    assert json.loads(original.to_json())['clips'][1]['scores']['input']['seam'] is None


@pytest.mark.parametrize(
    'text', ['', '[]', '{"format": 2}', '{"format": 1}', '{"format": 1, "config']
)
def test_json_of_something_else(tmp_path, text):
    (tmp_path / 'e.json').write_text(text)
    with pytest.raises(LadaError, match='not an evaluation'):
        Evaluation.from_file(tmp_path / 'e.json')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = {name: JSON for name in ('config', 'data', 'checkpoints', 'clips', 'notes')}
CLIP = {name: JSON for name in ('key', 'frames', 'block', 'region', 'scores')}


@given(
    content=JSON
    | st.fixed_dictionaries({'format': st.just(1), **FIELDS})
    | st.lists(st.fixed_dictionaries(CLIP), max_size=2).map(
        lambda clips: dict(format=1, config='', data='', checkpoints={}, clips=clips, notes=[])
    )
)
def test_any_other_json_is_one_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp('json') / 'e.json'
    path.write_text(json.dumps(content))
    try:
        found = Evaluation.from_file(path)
    except LadaError as error:
        assert str(error).startswith('not an evaluation')
    else:
        summary_table(found)
        to_csv(found)


def test_totals_leave_out_what_is_not_there():
    results = evaluation({'a': 1})
    clips = [
        clip.value('bicubic', 'gain') for number, clip in enumerate(results.clips) if number != 1
    ]
    assert results.total('bicubic', 'gain') == pytest.approx(np.mean(clips))
    assert math.isnan(results.total('a', 'lpips'))
    assert 'lpips' not in results.score_names()


def test_source_is_the_name_without_the_scene():
    assert ClipResult('a-b.mp4-000012', 1, None, 0, {}).source == 'a-b.mp4'
    assert ClipResult('a.mp4-000012-', 1, None, 0, {}).source == 'a.mp4'
    assert ClipResult('a.mp4-000012', 1, None, 0, {}, 'b.mp4').source == 'b.mp4'
    assert ClipResult('plain', 1, None, 0, {}).source == 'plain'


def test_tables():
    results = evaluation({'a': 1, 'b': 2})
    rows = list(csv.DictReader(io.StringIO(to_csv(results))))
    assert len(rows) == 24 * 5
    assert float(rows[4]['gain']) == pytest.approx(results.clips[0].value('b', 'gain'), rel=1e-4)
    text = clip_table(results, limit=5)
    assert text.count('video<') == 5 and '19 more clips' in text and 'all clips' in text
    assert 'gain (dB)' in summary_table(results)


def test_one_clip_decides_the_mean_but_not_the_median():
    results = evaluation({'a': 1})
    clip = results.clips[0]
    clip.scores['input']['psnr_mosaic'] = 60
    clip.scores['a']['psnr_mosaic'] = 20
    assert results.near_perfect() == [clip.key]
    assert results.median('a', 'gain') > 0.5
    assert results.total('a', 'gain') < 0
    assert 'median gain (dB)' in summary_table(results)
    assert math.isnan(results.median('a', 'unknown'))


def test_what_rounds_to_zero_has_no_sign():
    assert number_text(-0.001, 'gain') == '+0.00'
    assert number_text(-0.001, 'psnr_mosaic') == '0.00'


class Checker(HTMLParser):
    """Collects unbalanced tags and addresses."""

    VOID = {'meta', 'link', 'img', 'input', 'br', 'line', 'circle', 'polyline'}

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.addresses = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ('src', 'href')]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_report_is_one_well_formed_file():
    results = evaluation({'run/iter_100': 1, 'run/iter_200': 1.5})
    pictures = [
        FramePictures(clip.key, gain, b'1', b'2', b'3')
        for gain, clip in enumerate(results.clips[:5])
    ]
    text = report(results, pictures)
    checked = Checker(text)
    assert not checked.open and not checked.wrong
    assert all(address.startswith('data:') for address in checked.addresses)
    assert 'video<0>' not in text and 'video&lt;0&gt;' in text and 'A &lt;note&gt;.' in text
    assert 'Gain over iterations' in text and text.count('class="slider"') == 5
    assert 'nan' not in text.replace('isNaN', '').lower()


def test_report_of_the_least_there_can_be():
    clip = ClipResult('a', 1, None, 0, {'input': {'psnr': 30.0}, 'x': {'psnr': 31.0}})
    checked = Checker(report(Evaluation('c', 'd', {'x': 'x.pth'}, [clip]), []))
    assert not checked.open and not checked.wrong


@pytest.mark.parametrize('values', [[1, 2, 3], [5, 5], [0], [-1e-9, 1e9], [math.nan, 2], []])
@pytest.mark.parametrize('log_y', [False, True])
def test_charts_take_any_numbers(values, log_y):
    text = chart([Series('a', list(enumerate(values)))], 'x', 'y', log_y=log_y, marks=[(1, 'm')])
    assert 'nan' not in text and ('<svg' in text or 'No data' in text)


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        effects = rng.normal(0, 1, 8)
        pairs = [
            (str(source), effect + rng.normal(0, 0.3))
            for source, effect in enumerate(effects)
            for _ in range(3)
        ]
        low, high = interval(pairs, seed=trial)
        hits += low <= 0 <= high
    assert 0.90 <= hits / 200 <= 0.99


def test_interval_needs_two_sources():
    assert all(map(math.isnan, interval([('a', 1.0), ('a', 2.0), ('b', math.nan)])))
    results = evaluation({'a': 1})
    low, high = total_interval(results, 'a', 'gain')
    assert low < results.total('a', 'gain') < high


def test_compare():
    results = evaluation({'a': 1, 'b': 1.5, 'c': 1})
    assert compare(results, 'a', results, 'b').verdict == 'better'
    assert compare(results, 'b', results, 'a').verdict == 'worse'
    assert compare(results, 'a', results, 'c').verdict == 'undecided'
    assert compare(results, 'a', results, 'b', 'seam').verdict == 'better'  # lower is better
    few = compare(
        evaluation({'a': 1, 'b': 1.5}, sources=3),
        'a',
        evaluation({'a': 1, 'b': 1.5}, sources=3),
        'b',
    )
    assert few.verdict == 'undecided' and '6 sources are needed' in str(few)


def test_compare_refuses_what_cannot_be_compared():
    results, other = evaluation({'a': 1}), evaluation({'a': 1})
    for clip in other.clips:
        clip.scores['input']['psnr'] += 1
    with pytest.raises(LadaError, match='different mosaics'):
        compare(results, 'a', other, 'a')
    with pytest.raises(LadaError, match='no clip has'):
        compare(results, 'a', results, 'a', 'lpips')
    other.clips = []
    with pytest.raises(LadaError, match='share no clip'):
        compare(results, 'a', other, 'a')
