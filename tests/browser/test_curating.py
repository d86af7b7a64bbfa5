"""The page of previews: looking through clips, marking some, and what becomes of the list."""

import json
import random
import shutil
import subprocess
import sys
from contextlib import nullcontext

import pytest

from lada.dataset_tools.browse.browsing import CLIPS, write_page
from lada.dataset_tools.browse.media import Look
from lada.dataset_tools.check.marks import read_marks
from lada.lettering import letter
from tests.browser.conftest import served
from tests.conftest import make_clips

LOOK = Look(frames=4, size=64, degrade=False, seed=42, epoch=0)
WIDTHS = [1200, 390]
VIDEOS = '視頻 一.mp4', 'عربي فيديو.mp4', '#"видео".mp4'


@pytest.fixture(scope='module')
def pristine(tmp_path_factory, bikes):
    """A dataset of two sides, whose clips have names in several scripts, and its page."""
    folder = tmp_path_factory.mktemp('curating')
    for side, videos in (('train', VIDEOS), ('val', VIDEOS[:1])):
        for name in videos:
            video = shutil.copy(bikes, folder / name)
            make_clips(folder / 'set' / side, video, 2)
    write_page(folder / 'set', folder / 'page', LOOK)
    return folder


@pytest.fixture
def curated(pristine, tmp_path):
    shutil.copytree(pristine / 'set', tmp_path / 'set', copy_function=shutil.copy2)
    write_page(tmp_path / 'set', tmp_path / 'page', LOOK)
    return tmp_path


def stems(root):
    return {
        f'{path.parent.parent.name}/{path.stem}'
        for path in root.glob('*/crop_unscaled_meta/*.json')
    }


def lada(*arguments):
    command = [sys.executable, '-m', 'lada.commands', *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def change_rows(folder, rows):
    """Put other clips onto a page."""
    text = (folder / CLIPS).read_text()
    head = text[: text.index('const CLIPS')]
    (folder / CLIPS).write_text(f'{head}const CLIPS = {json.dumps(rows)};\n')


@pytest.mark.parametrize(('width', 'over_http'), [(1200, False), (390, True)])
def test_marked_clips_are_dropped_and_come_back(curated, open_page, width, over_http):
    root, folder = curated / 'set', curated / 'page'
    before = stems(root)
    chosen = {'train/#"видео".mp4-000001', 'val/視頻 一.mp4-000000'}
    with served(folder) if over_http else nullcontext(folder.as_uri()) as address:
        page = open_page(f'{address}/index.html', width)
        assert page.locator('#count').text_content() == '8 clips, 0 marked'
        for name in chosen:
            box = page.get_by_label(f'drop {name}', exact=True)
            box.tap() if width < 600 else box.click()
        page.reload()
        assert page.locator('#count').text_content() == '8 clips, 2 marked'
        page.get_by_label('marked ones only').check()
        assert page.locator('.clip').count() == page.locator('.clip.marked').count() == 2
        with page.expect_download() as download:
            page.get_by_text('save list').click()
        assert download.value.suggested_filename == 'drop.txt'
        marks = curated / 'drop.txt'
        download.value.save_as(marks)
        # Of another dataset's page, nothing is marked.
        other = curated / 'page' / 'other'
        shutil.copytree(folder, other, ignore=lambda *_: ['other'])
        text = (other / CLIPS).read_text()
        (other / CLIPS).write_text(text.replace('"key": "', '"key": "0'))
        page.goto(f'{address}/other/index.html')
        assert page.locator('#count').text_content() == '8 clips, 0 marked'
        shutil.rmtree(other)
    assert set(read_marks(marks)) == chosen
    assert 'val/視頻 一.mp4-000000' in marks.read_text().splitlines()
    assert lada('check', root, '--drop', marks).startswith('2 clips moved to quarantine')
    assert stems(root) == before - chosen
    assert write_page(root, folder, LOOK).made == 0
    page = open_page(f'{folder.as_uri()}/index.html', width)
    assert page.locator('.clip').count() == 6
    assert lada('check', root, '--fix', 'restore').count('moved back') == 2
    assert stems(root) == before


@pytest.mark.parametrize('width', WIDTHS)
def test_pictures_move_when_pointed_at(pristine, open_page, width):
    page = open_page((pristine / 'page' / 'index.html').as_uri(), width)
    picture = page.locator('.clip .shown').nth(1)
    for _ in range(2):
        picture.tap() if width < 600 else picture.hover()
        page.wait_for_function(
            '(video => video && video.videoWidth === 200 && video.currentTime > 0)'
            '(document.querySelector("video"))'
        )
        picture.tap() if width < 600 else page.locator('h1').hover()
        page.wait_for_function('!document.querySelector("video")')
    loaded = '[...document.images].every(image => image.complete && image.naturalWidth === 200)'
    page.locator('.clip').last.scroll_into_view_if_needed()
    page.wait_for_function(loaded)
    assert page.locator('#count').text_content() == '8 clips, 0 marked'


def test_keys_alone_will_do(pristine, open_page):
    page = open_page((pristine / 'page' / 'index.html').as_uri(), 1200)
    page.keyboard.press('ArrowRight')
    page.wait_for_function('document.querySelector("video")?.currentTime > 0')
    for key in ('Space', 'ArrowDown', 'ArrowRight', 'Space', 'End', 'Space', 'Home', 'Space'):
        page.keyboard.press(key)
    names = page.locator('.clip > .about > bdi').all_text_contents()
    assert page.locator('.clip.marked > .about > bdi').all_text_contents() == [names[4], names[7]]
    page.keyboard.press('/')
    page.keyboard.type('ФИДЕО عربي')
    assert page.locator('#none').is_visible()
    page.keyboard.press('Control+a')
    page.keyboard.type('видео')
    assert page.locator('.clip').count() == 2
    page.keyboard.press('Escape')
    page.once('dialog', lambda dialog: dialog.accept())
    page.get_by_text('unmark all').click()
    assert page.locator('.marked').count() == 0 and page.get_by_text('save list').is_disabled()


@pytest.mark.parametrize('width', WIDTHS)
def test_ten_thousand_clips(pristine, open_page, tmp_path, width):
    """Only a page of them is in the document; sorting takes all, and what is unknown comes last."""
    folder = shutil.copytree(pristine / 'page', tmp_path / 'page')
    rng = random.Random(0)
    picture = next(folder.glob('media/*/*.jpg'))
    media = f'{picture.parent.name}/{picture.stem}'
    rows = [
        [
            f'v-{number:06d}',
            f'source {rng.randrange(500)}',
            rng.randrange(1, 200),
            *rng.choices(range(64, 999), k=2),
            rng.randrange(1, 99) / 2,
            None if number % 3 else round(rng.random(), 3),
            media,
            None,
        ]
        for number in range(10_000)
    ]
    change_rows(folder, rows)
    page = open_page((folder / 'index.html').as_uri(), width)
    names = page.locator('.clip > .about > bdi')
    assert names.count() == 48 and page.locator('#page').text_content() == '1 of 209'
    for by, column in (
        ('quality', lambda row: row[6]),
        ('size', lambda row: row[3] * row[4]),
        ('block', lambda row: row[5]),
        ('source', lambda row: row[1]),
        ('frames', lambda row: row[2]),
        ('name', lambda row: row[0]),
    ):
        page.locator('#sort').select_option(by)
        known = [row for row in rows if column(row) is not None]
        for reverse in (False, True):
            expected = [row[0] for row in sorted(known, key=column, reverse=reverse)][:48]
            assert names.all_text_contents() == expected
            page.locator('#order').click()
    page.locator('#sort').select_option('quality')
    page.evaluate('for (let i = 0; i < 208; i++) document.getElementById("next").click()')
    assert page.locator('#next').is_disabled() and names.count() == 10_000 % 48
    assert rows[int(names.last.text_content()[2:])][6] is None
    page.locator('#filter').fill('0012 V-')
    found = sum('0012' in row[0] for row in rows)
    assert page.locator('#count').text_content() == f'{found} of 10,000 clips, 0 marked'


def test_any_name_comes_through_the_list(pristine, open_page, tmp_path):
    folder = shutil.copytree(pristine / 'page', tmp_path / 'page')
    rng = random.Random(1)
    letters = 'a"# \\\t\n\r\x85\u2028\ufeff\u200e\ud800\udc80é中😀ع'
    names = {''.join(rng.choices(letters, k=rng.randint(1, 6))) for _ in range(60)} | {
        '#',
        '"',
        ' ',
    }
    # What the browser puts together where two halves of a character meet.
    names = sorted(name for name in names if '\ud800\udc80' not in name)[:48]
    change_rows(folder, [[n, '', None, None, None, None, None, '', 'no picture'] for n in names])
    page = open_page((folder / 'index.html').as_uri(), 1200)
    for box in page.locator('.clip input').all():
        box.check()
    page.reload()
    with page.expect_download() as download:
        page.get_by_text('save list').click()
    assert set(read_marks(download.value.path())) == set(names)


def test_the_fonts_of_this_machine_have_chinese_japanese_and_korean(capsys):
    """As .ci/run installs one; else: apt-get install fonts-wqy-microhei."""
    names = ['视频 繁體', 'ビデオの名前', '비디오']
    assert letter(names).texts == ['\u200e' + name for name in names]
    assert capsys.readouterr().err == ''
