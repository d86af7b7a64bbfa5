"""Files that appear whole or not at all."""

import hashlib

import pytest

from lada.files import beside, file_sha256, temporary_name, whole_file


@pytest.mark.parametrize('named', [False, True])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, named):
    path = tmp_path / 'a'
    temporary = tmp_path / 'scratch' if named else None
    with whole_file(path, temporary) as file:
        file.write(b'old')
    with pytest.raises(ValueError), whole_file(path, temporary) as file:
        file.write(b'new')
        raise ValueError
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_temporary_names_are_hidden_and_differ(tmp_path):
    first, second = temporary_name(tmp_path / 'a'), temporary_name(tmp_path / 'a')
    assert first != second and first.parent == tmp_path and first.name.startswith('.a.')


def test_names_as_long_as_file_systems_take(tmp_path):
    path = tmp_path / ('動' * 83 + '.mp4')
    path.touch()
    temporary_name(path).touch()
    marked = beside(path, '-compare')
    marked.touch()
    assert marked.name == '動' * 81 + '-compare.mp4'
    assert beside(tmp_path / 'a.mp4', '-compare').name == 'a-compare.mp4'


def test_hash_of_a_file(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'content')
    assert file_sha256(path) == hashlib.sha256(b'content').hexdigest()
    with pytest.raises(InterruptedError):
        file_sha256(path, lambda: True)
