"""Each check says what is there, and what mends what is not."""

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import lada
from lada.checkpoints.reading import downloaded_file
from lada.doctor.codecs import codecs, examined
from lada.doctor.devices import graphics, processor
from lada.doctor.finding import OK, PROBLEM, WARNING, Finding, findings
from lada.doctor.namesakes import commands, folders, installed
from lada.doctor.packages import imports, python, requirements, versions
from lada.doctor.places import cache, disk, inodes, shared_memory
from lada.doctor.weights import downloaded, weights

GB = 10**9
PACKAGE = Path(lada.__file__).parent


def test_a_check_that_fails_is_a_problem_and_the_others_go_on():
    def broken_check():
        yield Finding('first', OK, 'x')
        raise RuntimeError('no\nluck')

    found = list(findings([broken_check, lambda: [Finding('second', OK, 'y')]]))
    assert [each.name for each in found] == ['first', 'broken check', 'second']
    assert found[1].state == PROBLEM
    assert found[1].found == 'cannot be looked at: RuntimeError: no luck'


def test_python():
    assert python((3, 10, 9)).state == PROBLEM
    assert python((3, 11, 0)).state == OK


def test_versions_are_compared_with_ranges():
    there = {'a': '2.5', 'b': '9.0', 'c-headless': '1.1', 'd': '3.0+cpu'}

    def version_of(name):
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    wanted = [Requirement(each) for each in ('a>=2,<3', 'b<9', 'c>=1', 'd>=3', 'e>=1')]
    found = versions(wanted, version_of, {'c': ['c-headless']})
    assert found[0] == Finding('packages', OK, 'a 2.5, d 3.0+cpu')
    assert [(each.name, each.state) for each in found[1:]] == [
        ('b', WARNING),
        ('c', WARNING),
        ('e', PROBLEM),
    ]
    assert found[2].found == 'not installed; c-headless 1.1 is in its place'
    assert found[3].remedy.endswith(" -m pip install 'e>=1'")


def test_requirements_are_those_of_the_clone(tmp_path):
    (tmp_path / 'pyproject.toml').write_text(
        '[project]\ndependencies = ["a>=1", "b; python_version < \'3\'"]\n'
    )
    assert [each.name for each in requirements(tmp_path)] == ['a']
    assert 'torch' in [each.name for each in requirements(PACKAGE.parent)]


def test_packages_that_do_not_load_are_told(tmp_path, monkeypatch):
    (tmp_path / 'broken_one.py').write_text('raise OSError("libGL.so.1: no such file")')
    (tmp_path / 'needy_one.py').write_text('import nowhere_to_be_found')
    monkeypatch.syspath_prepend(tmp_path)
    found = imports(['broken-one', 'needy-one', 'not-installed-one', 'numpy', 'opencv-python'])
    assert [each.name for each in found] == ['broken-one', 'needy-one']
    assert all(each.state == PROBLEM for each in found)
    assert found[0].remedy == 'apt-get install libgl1 libglib2.0-0'
    assert 'nowhere_to_be_found' in found[1].found


def test_processor():
    assert processor(8, 4, 'AVX2').state == OK
    assert processor(2, 4, 'AVX2').remedy == 'export OMP_NUM_THREADS=2'


@pytest.mark.parametrize(
    ('gpus', 'present', 'built_for', 'state', 'remedy'),
    [
        ([('Card', 80 * GB)], True, '13.0', OK, ''),
        ([], False, None, OK, ''),
        ([], True, None, WARNING, 'torch torchvision'),
        ([], True, '13.0', WARNING, 'nvidia-smi'),
    ],
)
def test_graphics(gpus, present, built_for, state, remedy):
    found = graphics(gpus, present, built_for)
    assert found.state == state
    assert found.remedy.endswith(remedy) and bool(found.remedy) == bool(remedy)


def test_the_codecs_work_here():
    (found,) = codecs()
    assert (found.state, found.remedy) == (OK, '')
    for name in ('H.264', 'FFV1', 'libx264', 'libx265', 'libvpx-vp9', 'mpeg2video'):
        assert name in found.found


def test_codecs_that_fail_are_named():
    def fails():
        raise ValueError('unknown encoder')

    found = examined({'a': lambda: True, 'b': lambda: False, 'c': fails})
    assert found.state == PROBLEM
    assert found.found == 'b gives other frames back; c: unknown encoder'


@pytest.mark.parametrize(('free', 'state'), [(9 * GB, OK), (GB, WARNING), (1000, PROBLEM)])
def test_disk(tmp_path, free, state):
    assert disk(tmp_path, free).state == state


def test_a_folder_that_takes_no_file(tmp_path):
    gone = tmp_path / 'gone'
    assert disk(gone, 9 * GB).state == PROBLEM
    assert 'No such file' in disk(gone, 9 * GB).found


@pytest.mark.parametrize(
    ('free', 'total', 'state'),
    [(10**6, 10**7, OK), (300, 10**7, WARNING), (0, 10**7, PROBLEM), (0, 0, OK)],
)
def test_inodes(tmp_path, free, total, state):
    assert inodes(tmp_path, free, total).state == state


@pytest.mark.parametrize(
    ('free', 'total', 'container', 'remedy'),
    [
        (8 * GB, 9 * GB, True, ''),
        (64 * 10**6, 64 * 10**6, True, 'docker run --shm-size=8g'),
        (64 * 10**6, 64 * 10**6, False, 'sudo mount -o remount,size=8G /dev/shm'),
        (GB, 9 * GB, True, 'ls -lhS /dev/shm'),
    ],
)
def test_shared_memory(free, total, container, remedy):
    found = shared_memory(Path('/dev/shm'), free, total, 2 * 2**30, container)
    assert found.remedy == remedy
    assert found.state == (WARNING if remedy else OK)


def test_cache(tmp_path):
    assert cache(tmp_path / 'a' / 'b').state == OK
    assert not (tmp_path / 'a').exists()
    refused = cache(Path('/proc/self/cache'))
    assert refused.state == WARNING and refused.remedy.startswith('export TORCH_HOME=')


def test_weights_are_looked_for_where_they_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    starter, vgg = weights()
    assert (starter.state, vgg.state) == (OK, WARNING)
    content = b'weights'
    digits = hashlib.sha256(content).hexdigest()[:8]
    address = f'https://example.org/net-{digits}.pth'
    path = downloaded_file(address)
    assert path.parent == tmp_path / 'hub' / 'checkpoints'
    missing = downloaded('Net', address, path, 'stage 2')
    assert missing.state == WARNING
    assert missing.remedy == f'curl --create-dirs -Lo {path} {address}'
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert downloaded('Net', address, path, 'stage 2').state == OK
    path.write_bytes(content[:3])
    assert 'damaged' in downloaded('Net', address, path, 'stage 2').found


def install_project(folder: Path, entry: str = '', editable: Path | None = None) -> Path:
    """Leave what pip leaves of a project called lada."""
    info = folder / 'lada-9.9.dist-info'
    info.mkdir(parents=True)
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: lada\nVersion: 9.9\n')
    (info / 'entry_points.txt').write_text(f'[console_scripts]\nlada = {entry}\n' if entry else '')
    if editable:
        origin = f'{{"url": "{editable.as_uri()}", "dir_info": {{"editable": true}}}}'
        (info / 'direct_url.json').write_text(origin)
    else:
        (folder / 'lada').mkdir()
        (folder / 'lada' / '__init__.py').write_text('')
    return folder


def projects(folder: Path):
    return list(metadata.distributions(name='lada', path=[str(folder)]))


OURS = 'lada.commands.__main__:main'


def test_another_project_of_that_name(tmp_path):
    other = install_project(tmp_path / 'other', 'lada.gui:main')
    (found,) = installed(PACKAGE, projects(other))
    assert f'lada, 9.9, is installed in {other}' in found.found
    assert found.remedy.endswith(f'-m pip install -e {PACKAGE.parent}')
    here = install_project(tmp_path / 'wheel', OURS)
    assert installed(here / 'lada', projects(here)) == []
    (found,) = installed(here / 'lada', projects(other))
    assert found.remedy == ''


def test_an_editable_installation_is_where_it_points(tmp_path):
    clone = PACKAGE.parent
    own = install_project(tmp_path / 'own', OURS, editable=clone)
    assert installed(PACKAGE, projects(own)) == []
    old = install_project(tmp_path / 'old', editable=clone)
    (found,) = installed(PACKAGE, projects(old))
    assert 'does not know the command lada yet' in found.found
    moved = install_project(tmp_path / 'moved', OURS, editable=tmp_path / 'another clone')
    assert len(installed(PACKAGE, projects(moved))) == 1


def test_folders_that_python_could_take_for_it(tmp_path, monkeypatch):
    (tmp_path / 'holder' / 'lada').mkdir(parents=True)  # of a clone, no package itself
    other = install_project(tmp_path / 'other')
    assert folders(PACKAGE, [str(PACKAGE.parent), str(tmp_path / 'holder')]) == []
    (found,) = folders(PACKAGE, [str(other), str(other)])
    assert str(other / 'lada') in found.found and found.remedy == ''
    monkeypatch.setenv('PYTHONPATH', str(other))
    assert folders(PACKAGE, [str(other)])[0].remedy == 'unset PYTHONPATH'
    monkeypatch.chdir(other)
    (found,) = folders(PACKAGE, [''])
    assert found.remedy == 'cd ~'


def test_the_command_that_a_shell_finds(tmp_path):
    own = tmp_path / 'lada'
    assert commands(PACKAGE, None, tmp_path) == []
    (found,) = commands(PACKAGE, '/usr/bin/lada', tmp_path)
    assert found.remedy == f'export PATH={tmp_path}:$PATH'
    own.write_text('from lada.commands.__main__ import main')
    assert commands(PACKAGE, str(own), tmp_path) == []
    (found,) = commands(PACKAGE, None, tmp_path)
    assert f'does not find the command lada, which is {own}' in found.found
    own.write_text('from lada.gui import main')
    (found,) = commands(PACKAGE, str(own), tmp_path)
    assert found.found == f'{own} starts another project'
    assert sys.executable in found.remedy
