"""Writing the page: clips, their pictures, and what the browser needs to show them."""

import hashlib
import json
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from lada.data import ClipMetadata
from lada.data.catalog import ClipCatalog
from lada.dataset_tools.browse.media import GAP, PICTURE, SIDE, Look, make_media, media_name
from lada.dataset_tools.layout import dataset_sides, side_name
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.workers import worker_pool
from lada.errors import LadaError
from lada.evaluation.page import page
from lada.files import write_atomically
from lada.folders import META_FOLDER
from lada.text import one_line, printable

PAGE, CLIPS, MEDIA = 'index.html', 'clips.js', 'media'
_HEAD = '// lada preview of '


@dataclass
class Entry:
    """A clip on the page: its name among all, and its metadata or why it cannot be shown."""

    name: str
    clip: ClipMetadata | None = None
    media: str = ''
    problem: str | None = None


@dataclass(frozen=True)
class Written:
    """What :func:`write_page` did: clips on the page, those made anew, those without pictures."""

    clips: int
    made: int
    problems: int


def write_page(
    root: Path, folder: Path, look: Look, workers: int = 1, overwrite: bool = False
) -> Written:
    """Write a page of all clips of a dataset into a folder, or bring it up to date.

    Pictures that are there already are kept, and those of clips that are gone are removed; so a run
    that was stopped is continued by the same call. Raises LadaError if there is no dataset, or if
    the folder holds something else.

    Args:
        root: as :func:`~lada.dataset_tools.layout.dataset_sides` takes it.
        folder: to make or to bring up to date.
        look: how the clips are drawn.
        workers: clips drawn at the same time.
        overwrite: replace the page of another dataset.
    """
    key = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:16]
    entries = [entry for side, at in dataset_sides(root).items() for entry in _entries(side, at)]
    if not entries:
        raise LadaError(f'an empty dataset: {printable(root)} holds no clips; create some first')
    _refuse_other(folder, key, overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    with only_run(folder):
        if not (folder / CLIPS).exists():
            write_atomically(folder / CLIPS, f'{_HEAD}{key}\n'.encode())  # this folder is ours
        made = _make_media(folder / MEDIA, entries, look, workers)
        _remove_others(folder / MEDIA, {entry.media for entry in entries})
        write_atomically(folder / CLIPS, _script(root, key, entries).encode('ascii'))
        write_atomically(folder / PAGE, _html(root, look).encode())
    return Written(len(entries), made, sum(entry.problem is not None for entry in entries))


def _entries(side: str, root: Path) -> Iterator[Entry]:
    catalog = ClipCatalog.open(root / META_FOLDER)
    for number in range(len(catalog)):
        entry = Entry(side_name(side, catalog.stem(number)))
        try:
            entry.clip = catalog[number]
        except LadaError as error:
            entry.problem = one_line(error)
        yield entry


def _refuse_other(folder: Path, key: str, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        with open(folder / CLIPS, encoding='ascii', errors='replace') as file:
            head = file.readline()
    except OSError:
        head = ''
    if not head.startswith(_HEAD):
        raise LadaError(f'there is already {printable(folder)}; choose another --output')
    if head.strip() != _HEAD + key and not overwrite:
        raise LadaError(
            f'{printable(folder)} is the page of another dataset; choose another --output, or add'
            ' --overwrite'
        )


def _make_media(folder: Path, entries: list[Entry], look: Look, workers: int) -> int:
    """Make the pictures that are not there; returns of how many clips."""
    jobs, missing = [], []
    for entry in entries:
        if entry.clip is None:
            continue
        try:
            entry.media = media_name(entry.name, entry.clip, look)
        except OSError as error:
            entry.problem = f'{error.strerror}: {error.filename}'
            continue
        if not (folder / (entry.media + PICTURE)).exists():
            target = folder / entry.media
            target.parent.mkdir(parents=True, exist_ok=True)
            jobs.append((make_media, entry.name, entry.clip, look, target))
            missing.append(entry)
    if jobs:
        with worker_pool(min(workers, len(jobs))) as run:
            for entry, problem in zip(missing, run(jobs, 'drawing'), strict=True):
                entry.problem = problem
    for entry in entries:
        if entry.problem is not None:
            entry.media = ''
    return sum(entry.problem is None for entry in missing)


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove the files of clips that are gone, and what killed runs left."""
    for path in list(folder.glob('??/*')):
        ours = re.fullmatch(r'([0-9a-f]{16})\.(jpg|mp4)|\..+\.tmp', path.name)
        if ours and f'{path.parent.name}/{ours[1]}' not in names:
            path.unlink()
    for path in folder.glob('??'):
        with suppress(OSError):  # not empty
            path.rmdir()


def _script(root: Path, key: str, entries: list[Entry]) -> str:
    """Return the page's data as a script: pages that lie in a file may not load anything else."""
    command = f'lada check {shlex.quote(printable(os.path.abspath(root)))}'
    rows = ',\n'.join(json.dumps(_row(entry)) for entry in entries)
    return (
        f'{_HEAD}{key}\nconst DATASET = {json.dumps(dict(key=key, command=command))};\n'
        f'const CLIPS = [\n{rows}\n];\n'
    )


def _row(entry: Entry) -> list:
    """Return name, source, frames, height, width, block size, quality, files, and problem."""
    clip = entry.clip
    if clip is None:
        return [entry.name, '', None, None, None, None, None, '', entry.problem]
    quality = (clip.video_quality or {}).get('overall')
    return [
        entry.name,
        clip.name,
        clip.frames_count,
        *clip.scene_shape,
        round(clip.block_size, 1),
        None if quality is None else round(quality, 4),
        entry.media,
        entry.problem,
    ]


def _html(root: Path, look: Look) -> str:
    def text(name: str) -> str:
        return files('lada.dataset_tools.browse').joinpath(name).read_text(encoding='utf-8')

    body = text('browse.html').replace('{width}', str(3 * SIDE + 2 * GAP))
    body = body.replace('{seed}', str(look.seed)).replace('{epoch}', str(look.epoch))
    title = f'Clips of {printable(Path(os.path.abspath(root)).name)}'
    return page(
        title,
        body,
        f'<script src="{escape(CLIPS)}"></script>',
        style=text('browse.css'),
        script=text('browse.js'),
    )
