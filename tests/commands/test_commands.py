"""Commands explain themselves without what they work with."""

import pkgutil
import subprocess
import sys

import pytest

from lada import commands
from lada.cli import ConfigOption, make_parser
from lada.commands import restore

NAMES = [module.name for module in pkgutil.iter_modules(commands.__path__)]
HEAVY = {'torch', 'mmengine', 'mmcv', 'cv2', 'numpy', 'av'}


@pytest.mark.parametrize('name', NAMES)
def test_nothing_heavy_is_imported_before_main(name):
    code = (
        f'import sys; from lada.commands import {name}; {name}.build_parser().format_help();'
        f' print(*sorted({HEAVY} & set(sys.modules)))'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == '\n'


def test_config_options_are_read_as_mmengine_does():
    parser = make_parser('x')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOption)
    assert parser.parse_args([]).cfg_options is None
    args = parser.parse_args(['--cfg-options', 'a.b=2', 'c=[1,x]', '--cfg-options', 'd=None'])
    assert args.cfg_options == {'a.b': 2, 'c': [1, 'x'], 'd': None}


def test_help_names_the_columns_of_boxes():
    from lada.inference.regions import BOX_COLUMNS

    assert ', '.join(BOX_COLUMNS) in ' '.join(restore.build_parser().format_help().split())
