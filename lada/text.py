"""How numbers, names and errors are put into words."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """Return for example ``1 clip`` or ``12,000 clips``.

    Args:
        number: how many.
        noun: what, in the singular.
    """
    return f'{number:,} {noun}' if number == 1 else f'{number:,} {noun}s'


def printable(name: object) -> str:
    """Return a name on one line: control characters and undecodable bytes as escapes, everything
    else as it is.
    """
    return ''.join(c if c.isprintable() else c.encode('unicode_escape').decode() for c in str(name))


def some(names: Sequence[object], most: int = 5) -> str:
    """Return the first names, printable, and how many more there are."""
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(map(printable, names[:most])) + rest


def human_bytes(size: int) -> str:
    """Return a size with a unit that suits it (1 kB = 1000 bytes)."""
    value, units = float(size), ['bytes', 'kB', 'MB', 'GB', 'TB']
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f'{size} bytes' if units[0] == 'bytes' else f'{value:.1f} {units[0]}'


def human_seconds(seconds: float) -> str:
    """Return a time with a unit that suits it, at least ``1 s``."""
    for unit, length in (('h', 3600), ('min', 60)):
        if seconds >= 2 * length:
            return f'{seconds / length:.0f} {unit}'
    return f'{max(1, round(seconds))} s'


def one_line(error: BaseException) -> str:
    """Return an error's whole message on one line, or its type where it has none.

    Of an error that a loader worker passed on, its traceback is left out.
    """
    text = str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1].partition(': ')[2]
    return ' '.join(text.split()) or type(error).__name__


def reason(error: BaseException | str) -> str:
    """Return why something failed, to stand in parentheses in a message that says what and where.

    That is the system's own word, without the file's name, for an error of the system, and for all
    others the first line of the message: libraries add advice of their own below it.
    """
    system = getattr(error, 'strerror', None)
    lines = str(system or error).strip().splitlines()
    return ' '.join(lines[0].split())[:120] if lines else type(error).__name__
