import multiprocessing
import os
import pickle
import shutil
import time

import numpy as np
import pytest

from lada.data import ClipCatalog, ClipMetadata, MosaicVideoDataset, index
from lada.errors import LadaError

DAY_NS = 86_400 * 10**9


def settle(folder):
    """Make the folder's last change a day old, so that its index is trusted."""
    stamp = time.time_ns() - DAY_NS
    os.utime(folder, ns=(stamp, stamp))


@pytest.fixture
def reads(monkeypatch):
    """The names of the metadata files the index builder reads."""
    names = []
    read = ClipMetadata.from_file

    def spy(path, root=None):
        names.append(path.name)
        return read(path, root)

    monkeypatch.setattr(index.ClipMetadata, 'from_file', spy)
    return names


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


def test_clips_are_sorted_and_their_columns_known(split, edit):
    edit(1, watermark_detected=True, video_quality=None)
    edit(2, nudenet_nsfw_detected=True, censoring_detected=True)
    catalog = ClipCatalog.open(split)
    assert len(catalog) == 3
    assert catalog.stems.tolist() == [f'bikes.mp4-{number:06d}'.encode() for number in range(3)]
    assert catalog.frames_count.tolist() == [8, 10, 12]
    assert catalog.watermark.tolist() == [False, True, False]
    assert catalog.nudenet_nsfw.tolist() == catalog.censoring.tolist() == [False, False, True]
    assert np.array_equal(catalog.quality, [0.5, np.nan, 0.5], equal_nan=True)
    assert catalog[1] == ClipMetadata.from_file(split / 'bikes.mp4-000001.json')
    assert isinstance(catalog.frames_count.base, np.memmap)


def test_an_unchanged_folder_is_not_even_listed(split, reads, monkeypatch):
    settle(split)
    ClipCatalog.open(split)
    monkeypatch.setattr(index, '_list', lambda folder: pytest.fail('listed'))
    del reads[:]
    assert len(ClipCatalog.open(split)) == 3
    assert reads == []


def test_a_folder_that_changed_a_moment_ago_is_listed_but_no_file_read_again(split, reads):
    ClipCatalog.open(split)
    (split / 'bikes.mp4-000000.json').rename(split / 'other.json')
    stamp = os.stat(split).st_mtime_ns
    del reads[:]
    assert len(ClipCatalog.open(split)) == 3
    assert reads == ['other.json']
    del reads[:]
    (split / 'other.json').rename(split / 'renamed.json')
    os.utime(split, ns=(stamp, stamp))
    assert ClipCatalog.open(split).stem(2) == 'renamed'


def test_only_new_and_changed_files_are_read(split, reads):
    settle(split)
    ClipCatalog.open(split)
    del reads[:]
    shutil.copy(split / 'bikes.mp4-000000.json', split / 'a.json')
    (split / 'bikes.mp4-000001.json').unlink()
    ClipMetadata.from_file(split / 'bikes.mp4-000002.json').to_file(split / 'bikes.mp4-000002.json')
    del reads[:]
    catalog = ClipCatalog.open(split)
    assert catalog.stems.tolist() == [b'a', b'bikes.mp4-000000', b'bikes.mp4-000002']
    assert reads == ['a.json', 'bikes.mp4-000002.json']


def test_refresh_sees_files_edited_in_place(split, edit):
    settle(split)
    ClipCatalog.open(split)
    edit(0, watermark_detected=True)
    assert not ClipCatalog.open(split).watermark.any()
    assert ClipCatalog.open(split, refresh=True).watermark.any()


@pytest.mark.parametrize(
    'damage',
    [
        lambda data: b'',
        lambda data: data[:100],
        lambda data: data[:-1],
        lambda data: data + b'x',
        lambda data: b'{' * index.HEADER_BYTES + data[index.HEADER_BYTES :],
        lambda data: data.replace(b'"format": 1', b'"format": 0'),
        lambda data: data.replace(b'"count": 3', b'"count": X'),
    ],
)
def test_a_damaged_index_is_rebuilt(split, damage):
    settle(split)
    ClipCatalog.open(split)
    (place,) = (split.parent / '.lada_index').iterdir()
    place.write_bytes(damage(place.read_bytes()))
    assert ClipCatalog.open(split).frames_count.tolist() == [8, 10, 12]


def test_an_index_that_cannot_lie_in_the_dataset_lies_in_the_cache(split, cache):
    (split.parent / '.lada_index').write_text('in the way')
    catalog = ClipCatalog.open(split)
    assert len(list((cache / 'lada').iterdir())) == 1
    assert isinstance(catalog.frames_count.base, np.memmap)


def test_without_any_place_the_catalog_lives_in_memory(split, cache):
    (split.parent / '.lada_index').write_text('in the way')
    cache.write_text('in the way')
    for catalog in (ClipCatalog.open(split), pickle.loads(pickle.dumps(ClipCatalog.open(split)))):
        assert catalog.frames_count.tolist() == [8, 10, 12]


def test_a_pickled_catalog_maps_the_same_file(split):
    catalog = ClipCatalog.open(split)
    data = pickle.dumps(catalog)
    assert len(data) < 1000
    assert pickle.loads(data).stems.tolist() == catalog.stems.tolist()
    (split / 'bikes.mp4-000000.json').unlink()
    with pytest.raises(LadaError, match='changed while'):
        pickle.loads(data)


def build(folder, results):
    results.put(ClipCatalog.open(folder).frames_count.tolist())


def test_processes_may_build_together(split):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [context.Process(target=build, args=(split, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=30) for _ in processes] == [[8, 10, 12]] * 4
    for process in processes:
        process.join()
    assert [path.suffix for path in (split.parent / '.lada_index').iterdir()] == ['.index']


def test_missing_empty_and_damaged_splits_are_named(split, edit, tmp_path):
    with pytest.raises(LadaError, match=r'No such file.*missing.*metadata_root_dir'):
        ClipCatalog.open(tmp_path / 'missing')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(LadaError, match='dataset is empty'):
        ClipCatalog.open(tmp_path / 'empty')
    path = edit(2)
    path.write_text(path.read_text()[:100])
    with pytest.raises(LadaError, match=r'1 of 3 metadata files cannot be read.*000002'):
        ClipCatalog.open(split)


def test_one_unreadable_file_of_many_is_left_out(split, edit, monkeypatch):
    damaged = edit(2)
    whole = damaged.read_text()
    for number in range(97):
        shutil.copy(split / 'bikes.mp4-000001.json', split / f'copy-{number:06d}.json')
    stat = damaged.stat()
    damaged.write_text('x' * len(whole))
    settle(split)
    catalog = ClipCatalog.open(split)
    assert catalog.stems[catalog.unreadable].tolist() == [damaged.stem.encode()]
    assert len(catalog) == 100
    assert catalog.frames_count[catalog.unreadable] == 0

    said = []
    monkeypatch.setattr('lada.data.dataset.print_log', lambda text, **kwargs: said.append(text))
    assert len(MosaicVideoDataset(split, 8)) == 99
    assert any('1 metadata file of 100' in text and damaged.stem in text for text in said)

    # Mended in place, it is read again, whatever its time says.
    damaged.write_text(whole)
    os.utime(damaged, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    settle(split)
    assert not ClipCatalog.open(split).unreadable.any()


def test_a_link_to_nothing_is_named(split, tmp_path):
    (split / 'gone.json').symlink_to(tmp_path / 'nothing')
    with pytest.raises(LadaError, match=r'gone\.json; if it is a link'):
        ClipCatalog.open(split)


def test_clips_of_one_source_share_a_number(split, edit):
    edit(1, source={'file': 'bikes.mp4', 'sha256': '1' * 64, 'start_frame': 0})
    edit(2, source=None)
    numbers = ClipCatalog.open(split).sources
    assert len(set(numbers.tolist())) == 3
    edit(2, source=None, name='other.mp4')
    edit(1, source=None, name='other.mp4')
    one, *others = ClipCatalog.open(split, refresh=True).sources
    assert one not in others and others[0] == others[1]
    assert len(MosaicVideoDataset(split, num_frame=3).sources) == 2
