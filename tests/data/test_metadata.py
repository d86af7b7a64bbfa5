import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lada.data import ClipMetadata, MetadataError
from lada.mosaic import MosaicLook

finite = st.floats(min_value=0.001, max_value=1e6)
side = st.integers(1, 10000)
flag = st.none() | st.booleans()
file_name = st.text(
    st.characters(codec='utf-8', exclude_characters='/\\:\0'), min_size=1, max_size=12
).filter(lambda text: text not in ('.', '..'))


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('root')
    (root / 'crop_unscaled_meta').mkdir()
    return root


@st.composite
def clips(draw, root: Path) -> ClipMetadata:
    frames = draw(st.integers(1, 4))
    pad = st.lists(st.integers(0, 100), min_size=4, max_size=4)
    path = st.builds(lambda name: root / 'videos' / name, file_name)
    return ClipMetadata(
        stem='clip',
        name=draw(st.text()),
        fps=draw(finite),
        frames_count=frames,
        source=draw(
            st.none()
            | st.fixed_dictionaries(
                {'file': st.text(), 'sha256': st.text(), 'start_frame': st.integers(0, 10**9)}
            )
        ),
        orig_shape=draw(st.tuples(side, side)),
        scene_shape=draw(st.tuples(side, side)),
        base_mosaic_block_size=draw(
            st.dictionaries(
                st.sampled_from(['mosaic_size_v1_normal', 'mosaic_size_v2']), finite, min_size=1
            )
        ),
        pad=draw(st.lists(pad, min_size=frames, max_size=frames)),
        video_path=draw(path),
        mask_path=draw(path),
        mosaic_video_path=draw(st.none() | path),
        mosaic_mask_path=draw(st.none() | path),
        mosaic=draw(
            st.none()
            | st.builds(
                MosaicLook,
                st.sampled_from(['squa_avg', 'squa_mid', 'rect_avg']),
                st.integers(1, 99),
                st.floats(1, 2),
                st.integers(-1, 99),
            )
        ),
        video_quality=draw(
            st.none() | st.dictionaries(st.sampled_from(['aesthetic', 'overall']), finite)
        ),
        watermark_detected=draw(flag),
        nudenet_nsfw_detected=draw(flag),
        censoring_detected=draw(flag),
        nudenet_nsfw_detected_classes=draw(
            st.none() | st.lists(st.text()) | st.dictionaries(st.text(), st.booleans())
        ),
    )


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_version_3_comes_back_as_it_was_written(root, data):
    clip = data.draw(clips(root))
    path = root / 'crop_unscaled_meta' / 'clip.json'
    clip.to_file(path)
    assert ClipMetadata.from_file(path) == clip
    assert [entry.name for entry in path.parent.iterdir()] == ['clip.json']


def any_json(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=6,
    )


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text()
    | st.sampled_from(['..', '../../x', '/', 'C:\\x', '\ud800', 'a\0b', 1e999, 2, 3])
)
KEYS = [
    'version',
    'name',
    'source',
    'fps',
    'frames_count',
    'frame_count',
    'orig_shape',
    'scene_shape',
    'pad',
    'mosaic',
    'base_mosaic_block_size',
    'video_path',
    'mask_path',
    'mosaic_video_path',
    'relative_nsfw_video_path',
    'relative_mask_video_path',
    'video_quality',
    'watermark_detected',
    'nudenet_nsfw_detected_classes',
    'orig_width',
]


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_any_json_is_a_clip_or_a_metadata_error(splits, root, data):
    original = json.loads(
        (splits[data.draw(st.sampled_from([1, 2, 3]))] / 'bikes.mp4-000000.json').read_text()
    )
    changed = data.draw(st.dictionaries(st.sampled_from(KEYS), any_json(scalars), max_size=3))
    content = data.draw(
        st.one_of(
            st.just(json.dumps(original | changed)),
            any_json(scalars).map(json.dumps),
            st.text(st.characters()),
        )
    )
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = root / 'crop_unscaled_meta' / 'fuzz.json'
    path.write_bytes(content.encode(errors='surrogatepass'))
    try:
        clip = ClipMetadata.from_file(path)
    except MetadataError as error:
        assert str(path) in str(error)
    else:
        assert len(clip.pad) == clip.frames_count
        assert clip.video_path.is_relative_to(root)
        assert clip.block_size > 0


def test_deep_nesting_and_bytes_are_metadata_errors(root):
    path = root / 'crop_unscaled_meta' / 'deep.json'
    for content in (b'[' * 100_000, b'\xff\xfe\x00', b'', b'9' * 5000):
        path.write_bytes(content)
        with pytest.raises(MetadataError, match=r'deep\.json'):
            ClipMetadata.from_file(path)


def test_all_versions_read_into_the_same_clip(splits):
    for number in range(3):
        old, middle, new = (
            ClipMetadata.from_file(splits[version] / f'bikes.mp4-{number:06d}.json')
            for version in (1, 2, 3)
        )
        for name in (
            'stem',
            'name',
            'fps',
            'frames_count',
            'orig_shape',
            'scene_shape',
            'pad',
            'mosaic',
            'block_size',
            'video_quality',
        ):
            assert getattr(old, name) == getattr(middle, name) == getattr(new, name)
        for clip, version in ((old, 1), (middle, 2), (new, 3)):
            assert (
                clip.video_path == splits[version].parent / 'crop_unscaled_img' / f'{clip.stem}.mp4'
            )
            assert (
                clip.mask_path == splits[version].parent / 'crop_unscaled_mask' / f'{clip.stem}.mkv'
            )


@pytest.mark.parametrize(
    'changes, words',
    [
        (dict(pad=[[0, 0, 0, 0]]), "'pad'"),
        (dict(pad=[[0, 0, -1, 0]] * 8), "'pad'"),
        (dict(fps=None), "lacks 'fps'"),
        (dict(fps=0), "'fps' = 0"),
        (dict(fps='25'), 'no finite number'),
        (dict(frames_count=8.5), 'whole number'),
        (dict(version=4), 'version 4'),
        (dict(base_mosaic_block_size={}), 'base_mosaic_block_size'),
        (dict(mosaic={'mod': 'round', 'mosaic_size': 5, 'feather_size': 0}), "'round'"),
        (dict(watermark_detected='no'), 'watermark_detected'),
        (dict(scene_shape=[3]), 'scene_shape'),
        (dict(source={'file': 'a'}), 'sha256'),
    ],
)
def test_wrong_values_are_named(edit, changes, words):
    path = edit(**changes)
    with pytest.raises(MetadataError, match=words) as caught:
        ClipMetadata.from_file(path)
    assert str(path) in str(caught.value)


def test_half_a_file_is_called_damaged(edit):
    path = edit()
    path.write_text(path.read_text()[:200])
    with pytest.raises(MetadataError, match='cut short'):
        ClipMetadata.from_file(path)


@pytest.mark.parametrize(
    'path',
    [
        '../../elsewhere/a.mp4',
        '..\\..\\elsewhere\\a.mp4',
        '/etc/hosts',
        'C:\\a.mp4',
        '..',
        '../crop_unscaled_img/../../a.mp4',
    ],
)
def test_a_path_out_of_the_dataset_is_refused(edit, path):
    for key in ('video_path', 'mask_path', 'mosaic_video_path'):
        with pytest.raises(MetadataError, match='outside the dataset'):
            ClipMetadata.from_file(edit(**{key: path}))
        edit(**{key: '../crop_unscaled_img/a.mp4'})


def test_a_folder_that_links_out_of_the_dataset_is_refused(split, edit, tmp_path):
    outside = tmp_path / 'outside'
    outside.mkdir()
    (split.parent / 'link').symlink_to(outside)
    with pytest.raises(MetadataError, match='outside the dataset'):
        ClipMetadata.from_file(edit(video_path='../link/a.mp4'))


def test_files_and_roots_may_be_links(split, tmp_path):
    """As ``split --mode symlink`` leaves them: real folders whose files link into another root."""
    root = tmp_path / 'linked'
    for folder in split.parent.iterdir():
        (root / folder.name).mkdir(parents=True)
        for file in folder.iterdir():
            (root / folder.name / file.name).symlink_to(file)
    (tmp_path / 'alias').symlink_to(root)
    for base in (root, tmp_path / 'alias'):
        clip = ClipMetadata.from_file(base / split.name / 'bikes.mp4-000000.json')
        assert clip.video_path == base / 'crop_unscaled_img' / 'bikes.mp4-000000.mp4'
        assert clip.video_path.exists()


def test_version_1_needs_its_folder_name(splits, tmp_path):
    path = tmp_path / 'metadata' / 'a.json'
    path.parent.mkdir()
    path.write_bytes((splits[1] / 'bikes.mp4-000000.json').read_bytes())
    with pytest.raises(MetadataError, match='_meta'):
        ClipMetadata.from_file(path)


def test_a_missing_file_is_a_metadata_error(tmp_path):
    with pytest.raises(MetadataError, match='cannot be read'):
        ClipMetadata.from_file(tmp_path / 'no.json')


def test_writing_leaves_the_old_file_when_it_fails(split, edit, monkeypatch):
    path = edit()
    before = path.read_bytes()

    def fail(*_):
        raise OSError('no space left on device')

    monkeypatch.setattr(os, 'replace', fail)
    with pytest.raises(OSError, match='no space'):
        ClipMetadata.from_file(path).to_file(path)
    assert path.read_bytes() == before
    assert len(list(split.iterdir())) == 3
