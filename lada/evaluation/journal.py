"""What an evaluation has measured so far, so that one that was stopped can be continued."""

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lada.evaluation.report import FramePictures
from lada.evaluation.results import ClipResult

JOURNAL = 'evaluation-partial.jsonl'


@dataclass(frozen=True)
class ShownClip:
    """Pictures of a clip: those of the report, and a PNG file of several frames."""

    report: FramePictures
    grid: bytes


class Journal:
    """A file of JSON lines: first what is evaluated, then one line a clip, in their order.

    Args:
        folder: of the evaluation.
        identity: what is evaluated; a journal of anything else is not continued.
    """

    def __init__(self, folder: Path, identity: dict) -> None:
        self._path = folder / JOURNAL
        self._identity = json.loads(json.dumps(identity))

    def read(self) -> Iterator[tuple[ClipResult, ShownClip | None]]:
        """Yield the clips that were measured, with their pictures where they have some; what
        follows a line that was cut short is gone.
        """
        sound = 0
        try:
            with open(self._path, 'rb') as file:
                for number, line in enumerate(file):
                    entry = json.loads(line)
                    other = number == 0 and entry != self._identity
                    if other or not line.endswith(b'\n'):
                        break
                    if number:
                        yield ClipResult(**entry['result']), _shown(entry['shown'])
                    sound += len(line)
        except (OSError, ValueError, TypeError, KeyError):
            pass
        if sound:
            os.truncate(self._path, sound)
        else:
            self.remove()

    def add(self, result: ClipResult, shown: ShownClip | None) -> None:
        """Append a clip."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, 'ab') as file:
            if not file.tell():
                file.write(_line(self._identity))
            file.write(_line({'result': asdict(result), 'shown': _entry(shown)}))

    def remove(self) -> None:
        """Forget everything."""
        self._path.unlink(missing_ok=True)


def _line(content: dict) -> bytes:
    return json.dumps(content).encode() + b'\n'


def _entry(shown: ShownClip | None) -> dict | None:
    if shown is None:
        return None
    pictures = {
        name: base64.b64encode(value).decode()
        for name, value in (
            ('before', shown.report.before),
            ('after', shown.report.after),
            ('truth', shown.report.truth),
            ('grid', shown.grid),
        )
    }
    return {'key': shown.report.key, 'gain': shown.report.gain, **pictures}


def _shown(entry: dict | None) -> ShownClip | None:
    if entry is None:
        return None
    before, after, truth, grid = (
        base64.b64decode(entry[name]) for name in ('before', 'after', 'truth', 'grid')
    )
    return ShownClip(FramePictures(entry['key'], entry['gain'], before, after, truth), grid)
