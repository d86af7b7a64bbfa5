"""The list of clips to drop, which the page of previews writes and ``check --drop`` reads.

UTF-8 text, one clip a line: its stem, after ``train/`` or ``val/`` where the dataset has its sides
in folders of these names. Blanks around a name, empty lines and lines that begin with ``#`` do not
count. A line that begins with ``"`` is a JSON string: so stand names there that begin with ``#`` or
``"``, begin or end with a blank, or hold control characters or bytes that are not UTF-8
(``"\\udcXX"``, as Python's surrogateescape).
"""

import json
from pathlib import Path

from lada.errors import LadaError
from lada.text import printable, reason


def read_marks(path: Path) -> list[str]:
    """Return the names in a list of clips, each once. Raises LadaError for a file that is none, and
    for one without names.
    """
    try:
        lines = path.read_bytes().decode('utf-8-sig').split('\n')
    except UnicodeDecodeError:
        raise LadaError(
            f'not a list of clips: {printable(path)} is not UTF-8; give the file that the page of'
            ' previews saves'
        ) from None
    except OSError as error:
        raise LadaError(
            f'cannot read the list of clips: {printable(path)} ({reason(error)})'
        ) from None
    names = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith('#'):
            names[_parse(line, path, number)] = None
    if not names:
        raise LadaError(f'no clips to drop: {printable(path)} names none; mark some first')
    return list(names)


def _parse(line: str, path: Path, number: int) -> str:
    if not line.startswith('"'):
        return line
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise LadaError(
            f'not a list of clips: line {number} of {printable(path)} begins with a quotation mark'
            ' and is no JSON string; correct it'
        ) from None
