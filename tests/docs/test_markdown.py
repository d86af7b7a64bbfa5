"""Every link of the documentation resolves, and every command in it exists with its options."""

import ast
import re
import shlex
import unicodedata
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt

from lada.commands import find_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in [*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md'), *ROOT.glob('dev/*.md')]
    if page.name != 'LICENSE.md'
)
SCRIPTS = {
    path.relative_to(ROOT).as_posix(): re.search(r'lada\.commands import (\w+)', path.read_text())[1]
    for path in ROOT.glob('scripts/*/*.py')
}
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]


def tokens(page: Path):
    for token in MarkdownIt('gfm-like', {'linkify': False}).parse(page.read_text(encoding='utf-8')):
        yield token
        yield from token.children or ()


def anchors(page: Path) -> list[str]:
    """What GitHub makes of the page's headings, in their order."""
    found = []
    stream = list(tokens(page))
    for before, token in zip(stream, stream[1:], strict=False):
        if before.type == 'heading_open':
            text = ''.join(part.content for part in token.children or ())
            slug = re.sub(r'[^\w\- ]', '', text.strip().lower()).replace(' ', '-')
            while slug in found:
                slug += '-1'
            found.append(slug)
    return found


def local_links(page):
    """Yield the files that a page links to, and the anchors there, '' for none."""
    for token in tokens(page):
        target = unquote(str(token.attrGet('href') or token.attrGet('src') or ''))
        if not target or re.match(r'\w+:', target):
            continue
        path, _, anchor = target.partition('#')
        linked = (page.parent / path).resolve() if path else page
        yield linked, anchor


@pytest.mark.parametrize('page', PAGES, ids=IDS)
def test_links_resolve(page):
    for linked, anchor in local_links(page):
        assert linked.exists(), f'{linked} is nowhere'
        assert ROOT in [linked, *linked.parents], f'{linked} is out of the repository'
        if anchor and linked.suffix == '.md':
            assert anchor in anchors(linked), f'no heading for {linked}#{anchor}'


def shell_lines(page: Path):
    """Yield the commands of the page's fenced shell blocks, a list of words each."""
    for token in tokens(page):
        if token.type == 'fence' and token.info.split()[:1] in (['bash'], ['sh'], ['shell']):
            for line in token.content.replace('\\\n', ' ').splitlines():
                words = shlex.split(line, comments=True)
                while words and re.fullmatch(r'(export|\w+=.*)', words[0]):
                    words.pop(0)
                if words:
                    yield words


def called(words: list[str]) -> tuple[str | None, list[str]]:
    """The command's module and its arguments, where a line calls one."""
    if words[0] == 'lada' and not words[1].startswith('-'):
        command = find_command(words[1])
        assert command is not None, f'no command: {" ".join(words)}'
        return command.module, words[2:]
    for place, word in enumerate(words):
        if word.removeprefix('./') in SCRIPTS:
            return SCRIPTS[word.removeprefix('./')], words[place + 1 :]
    return None, []


@pytest.mark.parametrize('page', PAGES, ids=IDS)
def test_commands_exist_with_their_options(page):
    for words in shell_lines(page):
        line = ' '.join(words)
        for word in words:
            if re.match(r'(\./)?(scripts|benchmarks|configs|tests|docs|dev|assets|lada)/[\w./-]+$', word) or (
                word.startswith('./') and word.endswith('.sh')
            ):
                assert (ROOT / word).exists(), f'no {word}: {line}'
        module, arguments = called(words)
        if module is None:
            continue
        parser = import_module(f'lada.commands.{module}').build_parser()
        known = {option for action in parser._actions for option in action.option_strings}
        for word in arguments:
            if word.startswith('--'):
                assert word.partition('=')[0] in known, f'no option {word}: {line}'


@pytest.mark.parametrize('page', PAGES, ids=IDS)
def test_python_blocks_are_python(page):
    for token in tokens(page):
        if token.type == 'fence' and token.info.split()[:1] == ['python']:
            ast.parse(token.content)


@pytest.mark.parametrize('page', PAGES, ids=IDS)
def test_paths_in_the_text_exist(page):
    """Inline code that looks like a file of the repository is one."""
    for token in tokens(page):
        if token.type != 'code_inline':
            continue
        text = token.content.rstrip('/').partition(':')[0]
        if re.fullmatch(r'(lada|scripts|benchmarks|configs|tests|docs|dev)/[\w./-]+', text):
            assert (ROOT / text).exists(), f'no {text}'


def columns(text: str) -> int:
    """Columns that text takes on a terminal: two for a Chinese character or a full-width sign."""
    return sum(2 if unicodedata.east_asian_width(sign) in 'WF' else 1 for sign in text)


@pytest.mark.parametrize('page', PAGES, ids=IDS)
def test_prose_is_wrapped(page):
    inside = False
    for number, line in enumerate(page.read_text(encoding='utf-8').splitlines(), 1):
        inside ^= line.lstrip().startswith('```')
        free = inside or line.lstrip().startswith(('|', '#', '!', '[', '```'))
        # Chinese words may end anywhere.
        long_word = max(map(len, re.findall(r'[!-~]+', line)), default=0) > 60
        width = columns(line)
        assert free or long_word or width <= 100, f'line {number} is {width} columns wide'
