"""Creating a dataset of clips from videos: one process per source, stopped and continued at
will.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lada.data.packed import INDEX_NAME as PACKED_INDEX
from lada.dataset_tools.create.cutting import cut_clips
from lada.dataset_tools.create.duplicates import Fingerprint, FingerprintIndex
from lada.dataset_tools.create.from_images import RENDERED_FOLDER, find_images, render_videos
from lada.dataset_tools.create.planning import (
    CreationSettings,
    options_of,
    plan_clips,
    survey,
)
from lada.dataset_tools.create.sources import (
    WHOLE,
    Shard,
    Source,
    SourceIndex,
    find_videos,
    length_of,
    name_sources,
    size_of,
)
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError
from lada.files import file_sha256
from lada.folders import mask_path, metadata_path, video_path
from lada.text import counted, one_line, printable
from lada.video.boxes import read_boxes

STAGING_FOLDER = '.creating'
PASSES = 2
"""Times that each frame of a source is read: when it is surveyed, and when clips are cut."""
DUPLICATES_NAMED = 10
"""So many of a source's dropped clips are named."""
VIDEOS_NAMED = 5


@dataclass
class SourceResult:
    """What became of one source."""

    source: Source
    clips: int = 0
    """Clips it gives, those of an earlier run included."""
    written: int = 0
    shots: int = 0
    frames: int = 0
    dropped: Counter = field(default_factory=Counter)
    error: str | None = None
    fingerprints: list[Fingerprint] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    """Frames of each clip, by its stem."""
    duplicates: dict[str, str] = field(default_factory=dict)
    """Of which clip each dropped one is a duplicate, by their stems."""

    def drop_duplicate(self, stem: str, original: str) -> None:
        """Take a clip out of the account."""
        self.fingerprints = [each for each in self.fingerprints if each.stem != stem]
        self.frames -= self.lengths.pop(stem)
        self.clips -= 1
        self.dropped['duplicate of another clip'] += 1
        self.duplicates[stem] = original

    def line(self) -> str:
        """Describe the result on one line."""
        if self.error is not None:
            return f'{printable(self.source.path)}: nothing, {self.error}'
        line = (
            f'{printable(self.source.path)}: {counted(self.clips, "clip")} of'
            f' {counted(self.frames, "frame")} in {counted(self.shots, "shot")}'
        )
        line += ''.join(f'; {n} dropped: {reason}' for reason, n in sorted(self.dropped.items()))
        named = list(self.duplicates.items())[:DUPLICATES_NAMED]
        line += ''.join(
            f'\n  {printable(stem)} shows what {printable(other)} shows' for stem, other in named
        )
        more = len(self.duplicates) - len(named)
        return line + (f'\n  and {more} more' if more else '')


def create_dataset(
    inputs: list[Path],
    root: Path,
    settings: CreationSettings,
    workers: int = 1,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
    shard: Shard = WHOLE,
    images: Sequence[Path] = (),
    frames_per_image: int = 120,
) -> list[SourceResult]:
    """Cut videos into clips; returns what became of each unfinished source.

    Finished sources are listed in an index in ``root`` and skipped, finished clips of others are
    kept, so a run that was stopped at any point costs at most the clips being written. A source
    that cannot be used is reported and does not stop the rest. Raises LadaError when an input does
    not exist or nothing could be created.

    Args:
        inputs: video files, and folders that are searched for some.
        root: folder of the dataset.
        settings: what is cut.
        workers: sources worked on at the same time.
        dry_run: write nothing.
        say: called with each line of the report.
        shard: which part of the sorted inputs to work on; any number of shards may fill one root at
            the same time.
        images: pictures, and folders that are searched for some; of each a video is made first.
        frames_per_image: its length.
    """
    if (root / PACKED_INDEX).exists():
        raise LadaError(
            f'a packed dataset takes no more clips: {printable(root)}; create them in another'
            ' folder and pack both, or unpack this one first'
        )
    paths = find_videos(inputs) if inputs else []
    pictures = find_images(images) if images else []
    if not 0 <= shard.index < shard.count:
        raise LadaError(
            f'no shard {shard.index} of {shard.count}; use 0 <= --shard-index < --num-shards'
        )
    if settings.boxes_file is not None:
        boxes = read_boxes(settings.boxes_file)
        if len(paths) > 1:
            boxes.check_named()
        _name_unknown(boxes.videos, paths, settings.boxes_file, say)
    if settings.mask_dir is not None and not settings.mask_dir.is_dir():
        raise LadaError(
            f'no such folder of masks: {printable(settings.mask_dir)}; check --mask-dir'
        )
    if frames_per_image < 1:
        raise LadaError(f'not a number of frames: {frames_per_image}; use --frames-per-image 120')
    if pictures and dry_run:
        say(f'{counted(len(pictures), "picture")}: a video of each would be made first')
        if not paths:
            return []
    elif pictures:
        paths += render_videos(
            pictures, root / RENDERED_FOLDER, frames_per_image, settings.seed, workers, say
        )
    if not dry_run:
        with _staging(root, shard) as staging:
            return _create(paths, root, settings, workers, staging, say, shard)
    return _create(paths, root, settings, workers, None, say, shard)


def _create(
    paths: list[Path],
    root: Path,
    settings: CreationSettings,
    workers: int,
    staging: Path | None,
    say: Callable[[str], None],
    shard: Shard,
) -> list[SourceResult]:
    index = SourceIndex.open(root, shard)
    results: list[SourceResult] = []
    shared_names = (
        ()
        if shard.count == 1
        else (n for n, k in Counter(path.name for path in paths).items() if k > 1)
    )
    paths = paths[shard.index :: shard.count]
    if shard.count > 1:
        say(f'shard {shard.index} of {shard.count}: {counted(len(paths), "file")}')
        if not paths:
            return []
    seen = FingerprintIndex()
    for sha256, entry in index.finished.items():
        seen.add(sha256, (Fingerprint(*each) for each in entry.get('looks', ())))
    with worker_pool(workers) as run:
        sources = _hash_sources(paths, index, run, results, say, shared_names)
        skipped = [s for s in sources if s.sha256 in index.finished]
        todo = [s for s in sources if s.sha256 not in index.finished]
        if skipped:
            clips = sum(index.finished[s.sha256]['clips'] for s in skipped)
            say(f'{counted(len(skipped), "source")} finished before: {counted(clips, "clip")}')
        _name_changed(skipped, index, settings, root, say)
        lengths = [length_of(source.path) for source in todo]
        jobs = [
            (work_on_source, source, root, settings, staging, PASSES * length)
            for source, length in zip(todo, lengths, strict=True)
        ]
        for result in run(jobs, 'cutting', frames=PASSES * sum(lengths)):
            results.append(result)
            if settings.drop_duplicates:
                _drop_duplicates(result, seen, None if staging is None else root)
            say(result.line())
            if result.error is None and staging is not None:
                index.add(
                    result.source,
                    clips=result.clips,
                    dropped=result.dropped,
                    looks=result.fingerprints,  # the name they have in the index of old datasets
                    settings=options_of(result.source, settings),
                )
    _summarise(results, len(skipped), say)
    if not skipped and not any(r.clips for r in results):
        raise LadaError(
            f'no clip could be created from {counted(len(paths), "file")}; {results[0].line()}'
        )
    return results


def _name_unknown(
    boxes: Iterable[str], paths: list[Path], file: Path, say: Callable[[str], None]
) -> None:
    unknown = sorted(set(boxes) - {path.name for path in paths})
    if unknown:
        named = ', '.join(printable(name) for name in unknown[:VIDEOS_NAMED])
        named += f' and {len(unknown) - VIDEOS_NAMED} more' if len(unknown) > VIDEOS_NAMED else ''
        say(
            f'{printable(file)} has boxes for {counted(len(unknown), "video")} that no input is'
            f' called: {named}'
        )


def _name_changed(
    finished: list[Source],
    index: SourceIndex,
    settings: CreationSettings,
    root: Path,
    say: Callable[[str], None],
) -> None:
    """Say which finished sources were cut with other options than those asked for now. Indices of
    version 0.1 do not tell.
    """
    changed: dict[str, list[Source]] = {}
    for source in finished:
        before, now = index.finished[source.sha256].get('settings'), options_of(source, settings)
        if isinstance(before, dict) and before != now:
            keys = [key for key in now if before.get(key) != now[key]]
            changed.setdefault(', '.join(keys), []).append(source)
    for keys, sources in changed.items():
        say(
            f'{counted(len(sources), "source")} finished before with other {keys}, such as'
            f' {printable(sources[0].path)}: the clips stay as they are; to cut them again, use'
            f' another --output or remove {printable(root)}'
        )


def _drop_duplicates(result: SourceResult, seen: FingerprintIndex, root: Path | None) -> None:
    """Remove clips that look like ones before them. Sources arrive in order, so that the outcome is
    always the same.
    """
    for each in result.fingerprints:
        original = seen.match(result.source.sha256, each)
        if original is None:
            seen.add(result.source.sha256, [each])
            continue
        if root is not None:  # the metadata first: without it the rest is no clip
            for path in (metadata_path, video_path, mask_path):
                path(root, each.stem).unlink(missing_ok=True)
        result.drop_duplicate(each.stem, original)


def _hash_sources(
    paths: list[Path],
    index: SourceIndex,
    run,
    results: list[SourceResult],
    say: Callable[[str], None],
    shared_names: Iterable[str],
) -> list[Source]:
    """Return the sources among ``paths``; unreadable ones and duplicates are added to
    ``results``.
    """
    known = {path: index.sha256_of(path) for path in paths}
    unknown = [path for path in paths if known[path] is None]
    jobs = [(hash_source, path) for path in unknown]
    sizes = [size_of(path) for path in unknown]
    for path, (sha256, error) in zip(unknown, run(jobs, 'reading', sizes), strict=True):
        known[path] = sha256
        if error is not None:
            results.append(SourceResult(Source(path, path.name, ''), error=error))
            say(results[-1].line())
    hashed = ((p, s) for p, s in known.items() if s is not None)
    sources, duplicates = name_sources(hashed, index.names(), shared_names)
    for path, original in duplicates:
        error = f'the same content as {printable(original)}'
        results.append(SourceResult(Source(path, path.name, ''), error=error))
        say(results[-1].line())
    return sources


def hash_source(path: Path, watch: Watch) -> tuple[str | None, str | None]:
    """Return the SHA-256 of a file, or the error that prevented it (runs in a worker)."""
    try:
        return file_sha256(path, watch.stopped), None
    except InterruptedError:
        raise
    except OSError as error:
        return None, f'cannot be read: {error.strerror}'


def work_on_source(
    source: Source,
    root: Path,
    settings: CreationSettings,
    staging: Path | None,
    expected: int,
    watch: Watch,
) -> SourceResult:
    """Survey a source and cut the clips that are still missing (runs in a worker).

    Args:
        source: the video.
        root: folder of the dataset.
        settings: what is cut.
        staging: folder for unfinished files; None writes nothing.
        expected: frames that it counts, whatever becomes of the source.
        watch: is told of frames and clips.
    """
    result = SourceResult(source)
    counted_frames = 0

    def seen(frames: int) -> None:
        nonlocal counted_frames
        frames = min(frames, expected - counted_frames)
        counted_frames += frames
        watch.frames_done(frames)

    try:
        found = survey(source, settings, seen)
        clips, result.dropped = plan_clips(found, settings)
        result.clips, result.shots = len(clips), len(found.shots)
        result.lengths = {clip.stem(source): clip.shot.stop - clip.shot.start for clip in clips}
        result.frames = sum(result.lengths.values())
        result.fingerprints = [
            Fingerprint(clip.stem(source), clip.within, *clip.hash_pair)
            for clip in clips
            if clip.hash_pair
        ]
        if staging is not None:
            missing = [
                clip for clip in clips if not metadata_path(root, clip.stem(source)).exists()
            ]
            for _ in cut_clips(source, found, missing, settings, root, staging, seen):
                result.written += 1
                watch.clip_done()
    except InterruptedError:
        raise
    except (LadaError, OSError) as error:
        result.error = one_line(error)
        result.clips = result.frames = 0
        result.fingerprints = []
    seen(expected)
    return result


def _summarise(results: list[SourceResult], skipped: int, say: Callable[[str], None]) -> None:
    kept = [r for r in results if r.clips]
    say(
        f'{counted(sum(r.clips for r in kept), "clip")} of'
        f' {counted(sum(r.frames for r in kept), "frame")} from {len(kept)} of'
        f' {counted(len(results) + skipped, "source")}'
        + (f', {skipped} of them finished before' if skipped else '')
    )
    reasons = sum((r.dropped for r in results), Counter())
    for reason, number in sorted(reasons.items()):
        say(f'dropped {number}: {reason}')
    failed = [r for r in results if r.error is not None]
    if failed:
        say(f'{counted(len(failed), "source")} could not be used, named above')


@contextmanager
def _staging(root: Path, shard: Shard) -> Iterator[Path]:
    """Yield an empty folder for unfinished files in ``root``, which only this process and other
    shards work on.
    """
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    staging = root / shard.name(STAGING_FOLDER)
    with only_run(root, shared=shard.count > 1):
        if shard.count == 1:
            for left in root.glob(f'{STAGING_FOLDER}*'):
                shutil.rmtree(left, ignore_errors=True)
        staging.mkdir(exist_ok=True)
        with only_run(staging):
            for left in staging.iterdir():
                left.unlink()
            try:
                yield staging
            finally:
                shutil.rmtree(staging, ignore_errors=True)
                if not existed and not any(root.iterdir()):
                    with suppress(OSError):  # another shard may just have begun
                        root.rmdir()
