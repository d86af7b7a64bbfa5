"""Box files: whatever is in them, boxes or one clear error."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lada.errors import LadaError
from lada.video.boxes import COLUMNS, StandingBox, read_boxes

NUMBER = st.integers(0, 5000)
BOX = st.tuples(
    NUMBER,
    st.none() | NUMBER,
    st.integers(-50, 5000),
    st.integers(-50, 5000),
    st.integers(1, 5000),
    st.integers(1, 5000),
)


@given(
    boxes=st.lists(BOX, min_size=1, max_size=5),
    order=st.permutations([*COLUMNS, 'video']),
    extra=st.booleans(),
)
def test_csv_in_any_order_of_columns(tmp_path_factory, boxes, order, extra):
    text, expected = io.StringIO(), []
    writer = csv.writer(text)
    writer.writerow([*order, 'remark'] if extra else order)
    for first, more, x, y, width, height in boxes:
        last = None if more is None else first + more
        row = dict(zip(COLUMNS, (first, last, x, y, width, height), strict=True), video='a, b.mp4')
        writer.writerow([*(row[name] for name in order), *(['a, "b"'] if extra else [])])
        expected.append(StandingBox(first, last, (y, x, y + height, x + width)))
    path = tmp_path_factory.mktemp('boxes') / 'boxes.csv'
    path.write_text(text.getvalue(), encoding='utf-8', newline='')
    found = read_boxes(path)
    assert found.videos == {'a, b.mp4'}
    assert found.of(path.with_name('a, b.mp4')) == expected and not found.of(path)


@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(
            lambda text: (','.join(COLUMNS) + '\n' + text).encode('utf-8', 'replace')
        ),
        st.text(max_size=60).map(lambda text: b'{' + text.encode('utf-8', 'replace')),
    )
)
def test_anything_else_is_one_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp('boxes') / 'boxes.csv'
    path.write_bytes(data)
    try:
        boxes = read_boxes(path)
    except LadaError as error:
        assert '\n' not in str(error) and str(path) in str(error)
    else:
        for region in boxes.of(path):
            top, left, bottom, right = region.extents[0]
            assert bottom > top and right > left and region.at(region.first) is not None


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'no column'),
        ('first,last,x,y,width\n', 'no column height'),
        ('first,last,x,y,width,height\n', 'no boxes'),
        ('first,last,x,y,width,height\n0,1,2,3,a,5\n', 'line 2'),
        ('first,last,x,y,width,height\n0,1,2\n', 'line 2'),
        ('first,last,x,y,width,height\n5,1,2,3,4,5\n', 'impossible box'),
        ('\0\xff', 'not UTF-8'),
    ],
)
def test_wrong_csv(tmp_path, text, message):
    path = tmp_path / 'boxes.csv'
    path.write_text(text, encoding='latin-1')
    with pytest.raises(LadaError, match=message):
        read_boxes(path)


@pytest.mark.parametrize(
    'line',
    [
        '{',
        '[]',
        '{"video": "a"}',
        '{"video": "a", "frame": -1, "box": [0, 0, 1, 1]}',
        '{"video": "a", "frame": 1, "box": [5, 0, 1, 1]}',
        '{"video": "a", "frame": 1, "box": [0, 0, 1, NaN]}',
        '{"video": 3, "frame": 1, "box": [0, 0, 1, 1]}',
        '{"video": "a", "frame": 1, "box": [0, 0, 1]}',
    ],
)
def test_a_bad_line_of_json_is_named(tmp_path, line):
    path = tmp_path / 'boxes.jsonl'
    path.write_text(f'{{"video": "a", "frame": 0, "box": [0, 0, 1, 1]}}\n{line}\n')
    with pytest.raises(LadaError, match=r'not a box: .*boxes\.jsonl, line 2'):
        read_boxes(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(LadaError, match='cannot be read'):
        read_boxes(tmp_path / 'boxes.csv')


def test_a_long_gap_ends_a_track(tmp_path):
    path = tmp_path / 'b.jsonl'
    lines = [{'video': 'a', 'frame': i, 'box': [0, 0, 2, 2]} for i in (3, 18, 34)]
    path.write_text('\n'.join(map(json.dumps, lines)))
    tracks = read_boxes(path).of(tmp_path / 'a')
    assert [(track.start, track.stop) for track in tracks] == [(3, 19), (34, 35)]


def test_a_standing_box_within_a_video():
    box = StandingBox(2, None, (-3, 4, 8, 200))
    track = box.within((10, 100), 5)
    assert track is not None and (track.start, track.stop) == (2, 5)
    assert track.boxes.tolist() == [[0, 4, 8, 100]] * 3
    assert StandingBox(2, 9, (1, 1, 2, 2)).within((10, 10), 2) is None
    assert box.at(1) is None and list(box.at(7)) == [-3, 4, 8, 200]
