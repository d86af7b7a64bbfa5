"""Other packages and commands that are called ``lada``: public Lada's, another project's, or
another copy of this one.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import lada
from lada.doctor.finding import OK, PIP, WARNING, Finding

_ENTRY = 'lada.commands.__main__:main'


def namesakes() -> list[Finding]:
    """Look for other packages in the environment and for other commands in ``$PATH``."""
    package = Path(lada.__file__).parent
    projects = list(metadata.distributions(name='lada'))
    known = [_source(each) for each in projects]
    places = [
        each for each in (*sys.path, os.getcwd()) if (Path(each) / 'lada').resolve() not in known
    ]
    found = [
        *folders(package, places),
        *installed(package, projects),
        *commands(package, shutil.which('lada'), Path(sys.executable).parent),
    ]
    return found or [Finding('lada', OK, f'{lada.__version__} in {package}, and no other')]


def folders(package: Path, search_path: Iterable[str]) -> list[Finding]:
    """Return the packages of that name that Python could take for this one.

    Args:
        package: folder of this one.
        search_path: folders where Python looks.
    """
    found = []
    for folder in dict.fromkeys(Path(os.path.abspath(each)) for each in search_path):
        other = folder / 'lada'
        if not (other / '__init__.py').is_file() or other.resolve() == package.resolve():
            continue
        if folder == Path.cwd():
            text = f'Python started in this folder takes {other} for it, and not {package}'
            found.append(Finding('lada', WARNING, text, 'cd ~'))
        else:
            given = str(folder) in os.environ.get('PYTHONPATH', '').split(os.pathsep)
            text = f'{other} is another one, and {package} is used; only one can be'
            found.append(Finding('lada', WARNING, text, 'unset PYTHONPATH' if given else ''))
    return found


def installed(package: Path, distributions: Iterable[metadata.Distribution]) -> list[Finding]:
    """Return the installed projects of that name that are not this one, or an old state of it.

    Args:
        package: folder of this one.
        distributions: projects called ``lada``.
    """
    found = []
    for each in distributions:
        scripts = each.entry_points.select(group='console_scripts', name='lada')
        if _source(each) != package.resolve():
            place = each.locate_file('')
            text = (
                f'another project lada, {each.version}, is installed in {place}; {package} is used'
            )
        elif _ENTRY not in [script.value for script in scripts]:
            text = f'the installed lada {each.version} does not know the command lada yet'
        else:
            continue
        found.append(Finding('lada', WARNING, text, _install(package)))
    return found


def commands(package: Path, command: str | None, programs: Path) -> list[Finding]:
    """Return what is wrong with the command ``lada`` that a shell finds.

    Args:
        package: folder of this one.
        command: the file that a shell finds; None where it finds none.
        programs: folder of this Python's programs.
    """
    own = programs / 'lada'
    if command is not None and Path(os.path.abspath(command)) != own:
        text = f'the command lada is {command}, of another environment than {sys.executable}'
    elif own.is_file() and _ENTRY.partition(':')[0] not in own.read_text(errors='replace'):
        return [Finding('lada', WARNING, f'{own} starts another project', _install(package))]
    elif command is None and own.is_file():
        text = f'a shell does not find the command lada, which is {own}'
    else:
        return []
    return [Finding('lada', WARNING, text, f'export PATH={shlex.quote(str(programs))}:$PATH')]


def _source(distribution: metadata.Distribution) -> Path | None:
    """Return the folder of a project's package, of an editable installation in its clone."""
    origin = distribution.read_text('direct_url.json')
    if origin is not None:
        details = json.loads(origin)
        if details.get('dir_info', {}).get('editable'):
            return (Path(url2pathname(urlparse(details['url']).path)) / 'lada').resolve()
    inside = Path(str(distribution.locate_file('lada'))).resolve()
    return inside if (inside / '__init__.py').is_file() else None


def _install(package: Path) -> str:
    """Return what puts a clone's package in the place of others.

    Without a clone there is nothing to say: pip would take this package away first, and the index
    has another project of that name.
    """
    clone = package.parent
    here = (clone / 'pyproject.toml').is_file()
    return f'{PIP} install -e {shlex.quote(str(clone))}' if here else ''
