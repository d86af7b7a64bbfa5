"""The packages that Lada is made for, and whether they are what is installed."""

import re
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

import lada
from lada.doctor.finding import OK, PIP, PROBLEM, WARNING, Finding
from lada.text import one_line

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MODULES = {
    'onedl-mmengine': 'mmengine',
    'onedl-mmcv': 'mmcv',
    'opencv-python': 'cv2',
}
"""Names of packages in code where they differ from those for pip."""


def packages() -> list[Finding]:
    """Compare what is installed with what Lada asks for, and import it."""
    wanted = requirements(Path(lada.__file__).parents[1])
    found = [
        python(sys.version_info[:3]),
        *versions(wanted, metadata.version, metadata.packages_distributions()),
    ]
    return found + imports([each.name for each in wanted])


def requirements(root: Path) -> list['Requirement']:
    """Return what a clone asks for, or else what the installed package does.

    An editable installation goes on asking for what the clone asked for when it was made.

    Args:
        root: folder in which the package is.
    """
    from packaging.requirements import Requirement

    project = root / 'pyproject.toml'
    if project.is_file():
        lines = tomllib.loads(project.read_text(encoding='utf-8'))['project']['dependencies']
    else:
        lines = metadata.requires('lada') or []
    wanted = map(Requirement, lines)
    return [each for each in wanted if each.marker is None or each.marker.evaluate({'extra': ''})]


def python(version: tuple[int, ...]) -> Finding:
    """Say which Python runs."""
    text = '.'.join(map(str, version))
    if version < (3, 11):
        return Finding('Python', PROBLEM, f'{text}; 3.11 or newer is needed')
    return Finding('Python', OK, f'{text}, {sys.executable}')


def versions(
    wanted: Sequence['Requirement'],
    version_of: Callable[[str], str],
    providers: Mapping[str, list[str]],
) -> list[Finding]:
    """Compare versions with ranges; what is in its range shares a line.

    Args:
        wanted: names and ranges.
        version_of: returns the version of an installed package, or raises
            :class:`importlib.metadata.PackageNotFoundError`.
        providers: installed packages by the module that they hold.
    """
    right, found = [], []
    for requirement in wanted:
        name = requirement.name
        remedy = f"{PIP} install '{requirement}'"
        try:
            version = version_of(name)
        except metadata.PackageNotFoundError:
            others = providers.get(_MODULES.get(name, name), [])
            if others:
                text = f'not installed; {others[0]} {version_of(others[0])} is in its place'
                found.append(Finding(name, WARNING, text, remedy))
            else:
                found.append(Finding(name, PROBLEM, 'not installed', remedy))
            continue
        if requirement.specifier.contains(version, prereleases=True):
            right.append(f'{name} {version}')
        else:
            text = f'{version} is installed, tried was {requirement.specifier}'
            found.append(Finding(name, WARNING, text, remedy))
    if right:
        found.insert(0, Finding('packages', OK, ', '.join(right)))
    return found


def imports(names: Sequence[str]) -> list[Finding]:
    """Import packages; return those that are there and cannot be imported.

    Args:
        names: for pip.
    """
    found = []
    for name in names:
        module = _MODULES.get(name, re.sub('-', '_', name))
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name == module:
                continue  # not installed, which has been said
            found.append(_broken(name, error))
        except Exception as error:  # a package may raise anything while it is loaded
            found.append(_broken(name, error))
    return found


def _broken(name: str, error: Exception) -> Finding:
    remedy = f'{PIP} install --force-reinstall --no-deps {name}'
    if 'libGL' in str(error) or 'libgthread' in str(error):
        remedy = 'apt-get install libgl1 libglib2.0-0'
    return Finding(name, PROBLEM, f'cannot be imported: {one_line(error)}', remedy)
