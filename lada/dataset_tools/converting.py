"""Writing a dataset's metadata in another version, beside links to its files."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lada.data import ClipMetadata
from lada.dataset_tools.inventory import metadata_folders
from lada.errors import LadaError
from lada.text import printable

FILES = ('video_path', 'mask_path', 'mosaic_video_path', 'mosaic_mask_path')


def convert_dataset(
    root: Path, output: Path, version: int, say: Callable[[str], None] = print
) -> tuple[int, int]:
    """Make a dataset in ``output`` whose metadata has another version; ``root`` stays as it is.

    Videos and masks are hard links where the file system has them, else copies. A clip's metadata
    comes last, and clips that have it are passed over: a run that was stopped is continued. Returns
    how many clips ``output`` has of ``root``, and how many could not be read, which are named.
    Raises LadaError if there is no dataset or if ``output`` lies in it.

    Args:
        root: of the dataset.
        output: folder to make or to continue.
        version: 2 or 3.
        say: called with each clip that cannot be read.
    """
    folders = metadata_folders(root)
    root, output = Path(os.path.abspath(root)), Path(os.path.abspath(output))
    if output == root or root in output.parents:
        raise LadaError(
            f'the output lies in the dataset: {printable(output)}; choose a folder outside of it'
        )
    done = bad = 0
    for folder in folders:
        for path in sorted((root / folder).glob('*.json')):
            target = output / folder / path.name
            try:
                if not target.exists():
                    _convert(ClipMetadata.from_file(path, root), root, output, target, version)
                done += 1
            except LadaError as error:
                say(f'left out: {printable(path.stem)}: {error}')
                bad += 1
    return done, bad


def _convert(clip: ClipMetadata, root: Path, output: Path, target: Path, version: int) -> None:
    moved = {}
    for name in FILES:
        file = getattr(clip, name)
        if file is None:
            continue
        if not file.is_file():
            raise LadaError(f'{printable(file)} is missing')
        moved[name] = output / file.relative_to(root)
        moved[name].parent.mkdir(parents=True, exist_ok=True)
        _link(file, moved[name])
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(clip, **moved).to_file(target, version)


def _link(file: Path, place: Path) -> None:
    place.unlink(missing_ok=True)  # a copy may have been cut short
    try:
        os.link(file.resolve(), place)
    except OSError:
        shutil.copyfile(file, place)
