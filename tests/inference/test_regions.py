"""Box files: whatever is in them, boxes or one clear error."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from lada.errors import LadaError
from lada.inference.regions import BOX_COLUMNS, Box, read_boxes

NUMBER = st.integers(0, 5000)
BOX = st.builds(
    lambda first, more, x, y, width, height: Box(first, first + more, x, y, width, height),
    NUMBER,
    NUMBER,
    st.integers(-50, 5000),
    st.integers(-50, 5000),
    st.integers(1, 5000),
    st.integers(1, 5000),
)


@given(
    boxes=st.lists(BOX, min_size=1, max_size=5),
    order=st.permutations(BOX_COLUMNS),
    extra=st.booleans(),
)
def test_round_trip_in_any_order_of_columns(tmp_path_factory, boxes, order, extra):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*order, 'remark'] if extra else order)
    for box in boxes:
        writer.writerow([*(getattr(box, name) for name in order), *(['a, "b"'] if extra else [])])
    path = tmp_path_factory.mktemp('boxes') / 'boxes.csv'
    path.write_text(text.getvalue(), encoding='utf-8', newline='')
    assert read_boxes(path) == boxes


@given(
    data=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(
            lambda text: (','.join(BOX_COLUMNS) + '\n' + text).encode('utf-8', 'replace')
        ),
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
        assert all(box.width > 0 and box.height > 0 and box.last >= box.first >= 0 for box in boxes)
