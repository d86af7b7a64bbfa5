"""Names that datasets on disk have."""

from pathlib import Path

from lada.folders import clip_stem, mask_path, metadata_path, source_name, video_path


def test_the_three_files_of_a_clip():
    stem = clip_stem('a.mp4', 7)
    assert [str(path(Path('set'), stem)) for path in (video_path, mask_path, metadata_path)] == [
        'set/crop_unscaled_img/a.mp4-000007.mp4',
        'set/crop_unscaled_mask/a.mp4-000007.mkv',
        'set/crop_unscaled_meta/a.mp4-000007.json',
    ]


def test_a_stem_names_its_source():
    assert source_name(clip_stem('a-1.mp4', 7)) == 'a-1.mp4'
    assert source_name('a.mp4-000007-') == 'a.mp4'  # as public Lada writes them
    assert source_name('a.mp4') == 'a.mp4'
