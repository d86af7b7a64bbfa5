"""The reports of evaluations and trainings in a browser."""

import numpy as np
import pytest

from lada.evaluation.pictures import encode_picture
from lada.evaluation.report import FramePictures, report
from lada.evaluation.results import ClipResult, Evaluation
from lada.evaluation.training_log import Curve, TrainingLog
from lada.evaluation.training_report import to_html

WIDTHS = [1200, 390]


@pytest.mark.parametrize('width', WIDTHS)
def test_evaluation(open_page, tmp_path, width):
    gains = {f'視頻 {number}.mp4-000000': number - 3.0 for number in range(8)}
    clips = [
        ClipResult(
            key,
            6,
            (8.0, 8.0),
            0.2,
            {
                method: dict(psnr_mosaic=value, ssim_mosaic=0.8, psnr=value + 9)
                for method, value in (('input', 25.0), ('bicubic', 26.0), ('model', 25 + gain))
            },
        )
        for key, gain in gains.items()
    ]
    jpeg = encode_picture(np.full((64, 96, 3), 120, np.uint8), '.jpg')
    pictures = [FramePictures(key, gain, jpeg, jpeg, jpeg) for key, gain in gains.items()]
    path = tmp_path / 'report.html'
    text = report(Evaluation('c.py', 'clips', {'model': 'm.pth'}, clips), pictures)
    path.write_text(text, encoding='utf-8')
    page = open_page(path.as_uri(), width)
    rows = page.locator('table.sortable tbody tr td:first-child')
    head = page.locator('table.sortable th button', has_text='gain')
    head.click()
    first = rows.all_text_contents()
    head.click()
    assert rows.all_text_contents() == first[::-1] and len(first) == 8
    page.locator('.slider input').first.fill('20')
    cut = 'document.querySelector(".slider").style.getPropertyValue("--cut")'
    assert page.evaluate(cut) == '20%'


@pytest.mark.parametrize('width', WIDTHS)
def test_training(open_page, tmp_path, width):
    curve = Curve([1, 2, 3], [3.0, 2.0, 1.5])
    logs = [TrainingLog(name, {'loss': curve}, {}) for name in ('a', '<b>日本')]
    (tmp_path / 'plot.html').write_text(to_html(logs), encoding='utf-8')
    page = open_page((tmp_path / 'plot.html').as_uri(), width)
    assert page.locator('svg.chart').is_visible()
    assert page.locator('.card').last.text_content().startswith('<b>日本')
