"""constraints.txt says what this suite passed with; these are the packages it runs with now."""

import re
import tomllib
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub('[-_.]+', '-', name).lower()


def pins(repo_root):
    lines = (repo_root / 'constraints.txt').read_text(encoding='utf-8').splitlines()
    return dict(line.split('==') for line in lines if not line.startswith('#'))


def test_installed_versions_are_the_pinned_ones(repo_root):
    # The first of a name counts: setuptools puts its own copies of packages at the path's end.
    installed = {}
    for dist in metadata.distributions():
        installed.setdefault(normal(dist.name), Version(dist.version).public)
    wanted = {normal(name): version for name, version in pins(repo_root).items()}
    differing = {
        name: (version, installed[name])
        for name, version in wanted.items()
        if name in installed and Version(installed[name]) != Version(version)
    }
    assert not differing, f'pinned, installed: {differing}; if the suite passes, pin these'


def test_every_requirement_is_pinned_within_its_range(repo_root):
    project = tomllib.loads((repo_root / 'pyproject.toml').read_text(encoding='utf-8'))['project']
    lines = [*project['dependencies'], *project['optional-dependencies']['dev']]
    wanted = {normal(name): version for name, version in pins(repo_root).items()}
    for requirement in map(Requirement, lines):
        name = normal(requirement.name)
        assert name in wanted, f'{name} is not in constraints.txt'
        assert requirement.specifier.contains(wanted[name]), requirement
        assert any(part.operator == '<' for part in requirement.specifier), f'no bound: {name}'
