"""Reading logs across resumes, advice, plots."""

import json
import math
import re

import cv2
import numpy as np
import pytest

from lada.errors import LadaError
from lada.evaluation.training_log import Curve, TrainingLog, advise, read_log
from lada.evaluation.training_report import to_html, to_png


def write(work_dir, name, first, last, gain, loss=lambda step: 1 / step, tail=''):
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    lines = []
    for step in range(first, last + 1):
        lines.append(dict(base_lr=1e-4, lr=1e-5, loss=loss(step), time=1.0, iter=step, step=step))
        if gain and step % 10 == 0:
            lines.append(
                {'PSNR': 30 + gain(step), 'mosaic/gain': gain(step), 'time': 1.0, 'step': step}
            )
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)) + '\n' + tail)


def growing(step):
    return step / 100


def test_resumed_run(tmp_path):
    write(tmp_path, '20260101_000000', 1, 35, growing, tail='{"base_lr": 0.0')
    write(tmp_path, '20260102_000000', 21, 60, growing)
    log = read_log(tmp_path)
    assert log.training['loss'].steps == list(range(1, 61))
    assert log.validation['mosaic/gain'].steps == [10, 20, 30, 40, 50, 60]
    assert log.resumes == [20]
    assert set(log.training) == {'base_lr', 'lr', 'loss'} and set(log.validation) == {
        'PSNR',
        'mosaic/gain',
    }


def test_the_best_validation_is_named_and_its_checkpoint_where_it_was_kept(tmp_path):
    write(tmp_path, '20260101_000000', 1, 40, lambda step: 1 - abs(step - 20) / 100)
    assert read_log(tmp_path).best == 'Best mosaic/gain: 1 at iteration 20'
    (tmp_path / 'best_mosaic_gain_iter_20.pth').touch()
    log = read_log(tmp_path)
    assert log.best.endswith('at iteration 20 (best_mosaic_gain_iter_20.pth)')
    assert log.best in to_html([log])


def test_resumed_run_that_validates_first(tmp_path):
    write(tmp_path, '20260101_000000', 1, 30, growing)
    for name in ('20260102_000000', '20260103_000000'):
        path = tmp_path / name / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({'mosaic/gain': 9.0, 'step': 30}) + '\n')
    log = read_log(tmp_path)
    assert log.training['loss'].steps == list(range(1, 31)) and log.resumes == []
    assert log.validation['mosaic/gain'].points == [(10, 0.1), (20, 0.2), (30, 9.0)]
    write(tmp_path, '20260104_000000', 31, 40, growing)
    assert read_log(tmp_path).resumes == [30]


def test_resume_between_two_logged_iterations(tmp_path):
    """Where the text log says it, the iteration of the checkpoint counts, not that of the first
    line.
    """
    write(tmp_path, '20260101_000000', 1, 60, growing)
    write(tmp_path, '20260102_000000', 61, 90, growing)
    text = tmp_path / '20260102_000000' / '20260102_000000.log'
    text.write_text('a - mmengine - INFO - resumed epoch: 0, iter: 45\n')
    log = read_log(tmp_path)
    assert log.resumes == [45] and log.training['loss'].steps == [*range(1, 46), *range(61, 91)]
    assert log.validation['mosaic/gain'].steps == [10, 20, 30, 40, 70, 80, 90]
    text.write_text('a - mmengine - INFO - Iter(train)\n')
    log = read_log(tmp_path)
    assert log.resumes == [] and log.training['loss'].steps == list(range(61, 91))


def test_run_that_was_started_over(tmp_path):
    write(tmp_path, '20260101_000000', 1, 35, growing)
    write(tmp_path, '20260102_000000', 1, 20, growing)
    log = read_log(tmp_path)
    assert log.training['loss'].steps == list(range(1, 21)) and log.resumes == []


@pytest.mark.parametrize(
    ('gain', 'loss', 'state', 'since'),
    [
        (growing, lambda step: 1 / step, 'improving', None),
        (lambda step: min(step, 40) / 100, lambda step: 1 / step, 'flat', 40),
        (lambda step: 0.4 - abs(step - 50) / 100, lambda step: 1 / step, 'overfitting', 50),
        (lambda step: 0.4 - abs(step - 50) / 100, lambda step: 1 + step, 'worsening', 50),
        (None, lambda step: 1 / step, 'unknown', None),
    ],
)
def test_advice(tmp_path, gain, loss, state, since):
    write(tmp_path, '20260101_000000', 1, 100, gain, loss)
    advice = advise(read_log(tmp_path))
    assert (advice.state, advice.since) == (state, since)


def test_too_early_to_tell(tmp_path):
    write(tmp_path, '20260101_000000', 1, 30, growing)
    assert advise(read_log(tmp_path)).state == 'unknown'


def test_values_that_are_no_numbers(tmp_path):
    write(tmp_path, '20260101_000000', 1, 60, lambda step: math.nan if step == 10 else step / 100)
    log = read_log(tmp_path)
    assert advise(log).state == 'improving'
    assert 'nan' not in to_html([log]).replace('isNaN', '').lower()


def test_no_log_and_damaged_log(tmp_path):
    with pytest.raises(LadaError, match='no training log'):
        read_log(tmp_path)
    write(tmp_path, '20260101_000000', 1, 3, None)
    path = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    path.write_text('{broken\n' + path.read_text())
    with pytest.raises(LadaError, match='line 1'):
        read_log(tmp_path)


def test_plots_of_several_runs(tmp_path):
    for name in ('a', 'b'):
        write(tmp_path / name, '20260101_000000', 1, 50, growing)
        write(tmp_path / name, '20260102_000000', 41, 80, growing)
    logs = [read_log(tmp_path / name) for name in ('a', 'b')]
    assert to_png(logs).startswith(b'\x89PNG')
    page = to_html(logs)
    assert (
        'still improving' in page and 'a resumed after iteration 40' in page and 'http' not in page
    )


@pytest.mark.filterwarnings('error')
def test_names_of_runs_in_any_script_are_in_the_legend():
    """Not as boxes, of which Matplotlib would warn; nor as formulas; nor left out."""
    pictures = []
    for name in ('a', 'опыт', 'تجربة', '_x', '$a_1$', '日本'):
        log = TrainingLog(name=name, training={'loss': Curve([1, 2], [2.0, 1.0])}, validation={})
        picture = cv2.imdecode(np.frombuffer(to_png([log]), np.uint8), cv2.IMREAD_COLOR)
        assert not any(np.array_equal(picture, other) for other in pictures), name
        pictures.append(picture)


def test_a_run_has_one_colour_in_every_panel(tmp_path):
    write(tmp_path / 'a', '20260101_000000', 1, 50, None)
    write(tmp_path / 'b', '20260101_000000', 1, 50, growing)
    panels = re.findall(
        r'<figcaption.*?</figcaption>', to_html([read_log(tmp_path / name) for name in 'ab'])
    )
    colours = [dict(re.findall(r'background:(#\w+)"></i>(\w)<', panel)[::-1]) for panel in panels]
    assert any(len(found) == 2 for found in colours) and any(len(found) == 1 for found in colours)
    assert len({colour for found in colours for colour, name in found.items() if name == 'b'}) == 1


def test_a_score_that_was_added_has_a_panel():
    names = ('mosaic/seam_model', 'mosaic/mine_input', 'mosaic/mine_bicubic', 'mosaic/mine_model')
    log = TrainingLog('run', validation={name: Curve([10, 20], [1.0, 2.0]) for name in names})
    text = to_html([log])
    assert text.count('<h2>mine</h2>') == 1 and text.count('<h2>seam (levels)</h2>') == 1
