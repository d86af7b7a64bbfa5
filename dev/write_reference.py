#!/usr/bin/env python3
"""Write docs/reference/ from the code: every key of a config, every option of a command.

Meanings come from the docstrings' ``Args:`` and from argparse's help. A test fails when a file is
stale or a key has no meaning.
"""

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import docstring_parser
from mmengine.registry import Registry

import lada.commands
import lada.data
import lada.engine
import lada.evaluation
import lada.models
import lada.mosaic
from lada import registry
from lada.engine.config import TOP_LEVEL_KEYS

FOLDER = Path(__file__).resolve().parents[1] / 'docs' / 'reference'

SECTIONS = {
    'Models, networks and losses': registry.MODELS,
    'Data sets': registry.DATASETS,
    'Samplers': registry.DATA_SAMPLERS,
    'Transforms': registry.TRANSFORMS,
    'Degradations': registry.DEGRADATIONS,
    'Metrics': registry.METRICS,
    'Scores': registry.SCORES,
    'Hooks': registry.HOOKS,
    'Visualizer': registry.VISUALIZERS,
    'Visualizer backends': registry.VISBACKENDS,
    'Loops': registry.LOOPS,
    'Optimizer wrappers': registry.OPTIM_WRAPPERS,
    'Optimizer wrapper constructors': registry.OPTIM_WRAPPER_CONSTRUCTORS,
    'Model wrappers': registry.MODEL_WRAPPERS,
}
# Arguments that MMEngine hands over, not a config.
_HANDED_OVER = {'self', 'dataset', 'module', 'model', 'runner'}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding='utf-8')


def pages() -> dict[str, str]:
    """Return the text of each file in docs/reference/."""
    return {'configs.md': config_page(), 'commands.md': command_page()}


def config_page() -> str:
    """Return the reference of configs as Markdown."""
    parts = [
        '# Config reference',
        _wrapped(
            'Written from the code by `dev/write_reference.py`. A config is a Python file; every '
            '`dict(type=...)` in it names a class below or one of MMEngine, and its other keys are '
            "that class's arguments. Keys without a default must be given."
        ),
        '## Top level',
        _table(('key', 'meaning'), [(f'`{key}`', text) for key, text in TOP_LEVEL_KEYS.items()]),
    ]
    for title, kind in SECTIONS.items():
        parts.append(f'## {title}')
        for name, cls in sorted(_registered(kind)):
            parts += [f'### {name}', _summary(cls)]
            keys = list(config_keys(cls))
            if keys:
                rows = [(f'`{key}`', default, meaning) for key, default, meaning in keys]
                parts.append(_table(('key', 'default', 'meaning'), rows))
    return '\n\n'.join(parts) + '\n'


def config_keys(cls: type) -> Iterator[tuple[str, str, str]]:
    """Yield name, default and meaning of each argument that a config may give to a class.

    Raises :class:`KeyError` for one that no docstring explains.
    """
    for owner, parameter in _parameters(cls):
        if not owner.__module__.startswith('lada'):
            meaning = f"as in MMEngine's `{owner.__name__}`"
        else:
            meanings = {
                name: text for base in reversed(cls.__mro__) for name, text in _meanings(base)
            }
            if parameter.name not in meanings:
                raise KeyError(f'{cls.__name__}: no "Args:" entry for {parameter.name}')
            meaning = meanings[parameter.name]
        required = parameter.default is inspect.Parameter.empty
        yield parameter.name, '' if required else f'`{parameter.default!r}`', meaning


def command_page() -> str:
    """Return the reference of commands as Markdown."""
    parts = [
        '# Command reference',
        _wrapped(
            'Written from the code by `dev/write_reference.py`. Exit status: 0 done, 1 failed with '
            'one line that says what, where and what to do, 2 wrong arguments, 3 a fault, 130 and '
            '143 stopped. `--debug` adds the traceback. `python -m lada.commands NAME` is the '
            'same as `lada NAME`.'
        ),
    ]
    for command in lada.commands.COMMANDS:
        parser = import_module(f'lada.commands.{command.module}').build_parser()
        calls = [f'lada {command.name}', command.script and f'scripts/{command.script}']
        parts += [f'## {command.name}', ', '.join(f'`{call}`' for call in calls if call)]
        parts.append(_wrapped(parser.description or ''))
        rows = [_option(action) for action in parser._actions if action.dest not in _EVERYWHERE]
        parts.append(_table(('option', 'default', 'meaning'), [row for row in rows if row]))
    return '\n\n'.join(parts) + '\n'


_EVERYWHERE = {'help', 'debug'}


def _option(action: argparse.Action) -> tuple[str, str, str] | None:
    if action.help == argparse.SUPPRESS:
        return None
    if not action.help:
        raise KeyError(f'no help for {action.dest}')
    names = ', '.join(f'`{name}`' for name in action.option_strings or [_name(action)])
    plain = action.default in (None, False, True, argparse.SUPPRESS) or action.default == {}
    default = '' if plain or not action.option_strings else f'`{action.default}`'
    choices = f' ({", ".join(map(str, action.choices))})' if action.choices else ''
    return names, default, ' '.join((action.help % {'default': action.default}).split()) + choices


def _name(action: argparse.Action) -> str:
    return str(action.metavar or action.dest)


def _registered(kind: Registry) -> Iterator[tuple[str, type]]:
    for name, cls in kind.module_dict.items():
        if cls.__module__.startswith('lada'):
            yield name, cls


def _parameters(cls: type) -> list[tuple[type, inspect.Parameter]]:
    """Return the arguments of a class, each with the class that explains it."""
    found: dict[str, tuple[type, inspect.Parameter]] = {}
    for owner in cls.__mro__:
        if '__init__' not in vars(owner) or owner is object:
            continue
        parameters = inspect.signature(owner.__init__).parameters
        for name, parameter in parameters.items():
            named = parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            if named and name not in _HANDED_OVER:
                found.setdefault(name, (owner, parameter))
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            break
        if 'unknown' in parameters:
            break
    return list(found.values())


def _meanings(cls: type) -> Iterator[tuple[str, str]]:
    text = inspect.cleandoc(vars(cls).get('__doc__') or '')
    try:
        parameters = docstring_parser.google.parse(text).params
    except docstring_parser.ParseError:  # not all of MMEngine's are in Google style
        return
    for parameter in parameters:
        for name in parameter.arg_name.split(','):
            yield name.strip(), _plain(parameter.description or '')


def _summary(cls: type) -> str:
    text = inspect.cleandoc(cls.__doc__ or '').partition('\nArgs:')[0].strip()
    return '\n\n'.join(_wrapped(_plain(part)) for part in text.split('\n\n'))


def _wrapped(text: str) -> str:
    return '\n'.join(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False))


def _plain(text: str) -> str:
    """Return reST as Markdown: roles and double backticks become code."""
    text = ' '.join(text.split())
    text = re.sub(r':\w+:`~?(?:[\w.]+\.)?(\w+)`', r'`\1`', text)
    return text.replace('``', '`')


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple('---' for _ in head), *rows]
    cells = [[cell.replace('|', '\\|') for cell in line] for line in lines]
    return '\n'.join(f'| {" | ".join(line)} |' for line in cells)


if __name__ == '__main__':
    sys.exit(main())
