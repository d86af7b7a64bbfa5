"""Commands answer at once: what is slow to import is imported when it is needed."""

import pkgutil
import subprocess
import sys

import pytest

from lada import commands


@pytest.mark.parametrize(
    'name', [module.name for module in pkgutil.iter_modules(commands.__path__)]
)
def test_importing_a_command_imports_neither_torch_nor_mmengine(name):
    code = (
        f'import sys\nfrom lada.commands import {name}\n'
        f'{name}.build_parser()\nassert callable({name}.main)\n'
        'assert "torch" not in sys.modules and "mmengine" not in sys.modules'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
