"""Creating a dataset of clips from videos: one process per source, stopped and continued at will."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lada.dataset_tools.clip_cutting import cut_clips
from lada.dataset_tools.clip_planning import CreationSettings, plan_clips, survey
from lada.dataset_tools.layout import counted, metadata_path, printable
from lada.dataset_tools.locking import only_run
from lada.dataset_tools.sources import Source, SourceIndex, file_sha256, find_videos, name_sources
from lada.dataset_tools.workers import Watch, worker_pool
from lada.errors import LadaError

STAGING_FOLDER = '.creating'


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

    def line(self) -> str:
        """Describe the result on one line."""
        if self.error is not None:
            return f'{printable(self.source.path)}: nothing, {self.error}'
        line = f'{printable(self.source.path)}: {counted(self.clips, "clip")} of {counted(self.frames, "frame")} ' \
               f'in {counted(self.shots, "shot")}'
        return line + ''.join(f'; {n} dropped: {reason}' for reason, n in sorted(self.dropped.items()))


def create_dataset(inputs: list[Path], root: Path, settings: CreationSettings, workers: int = 1, dry_run: bool = False,
                   say: Callable[[str], None] = print) -> list[SourceResult]:
    """Cut the videos among ``inputs`` into clips below ``root``; returns what became of each unfinished source.

    Finished sources are listed in an index in ``root`` and skipped, finished clips of others are kept, so a run that
    was stopped at any point costs at most the clips being written. A source that cannot be used is reported and does
    not stop the rest. Raises LadaError when an input does not exist or nothing could be created.
    """
    paths = find_videos(inputs)
    if settings.mask_dir is not None and not settings.mask_dir.is_dir():
        raise LadaError(f'no such folder of masks: {printable(settings.mask_dir)}; check --mask-dir')
    if not dry_run:
        with _staging(root) as staging:
            return _create(paths, root, settings, workers, staging, say)
    return _create(paths, root, settings, workers, None, say)


def _create(paths: list[Path], root: Path, settings: CreationSettings, workers: int, staging: Path | None,
            say: Callable[[str], None]) -> list[SourceResult]:
    index = SourceIndex.open(root)
    results: list[SourceResult] = []
    with worker_pool(workers) as run:
        sources = _hash_sources(paths, index, run, results, say)
        skipped = [s for s in sources if s.sha256 in index.finished]
        todo = [s for s in sources if s.sha256 not in index.finished]
        if skipped:
            clips = sum(index.finished[s.sha256]['clips'] for s in skipped)
            say(f'{counted(len(skipped), "source")} finished before: {counted(clips, "clip")}')
        jobs = [(work_on_source, source, root, settings, staging) for source in todo]
        for result in run(jobs, 'cutting'):
            results.append(result)
            say(result.line())
            if result.error is None and staging is not None:
                index.add(result.source, clips=result.clips, dropped=result.dropped)
    _summarise(results, len(skipped), say)
    if not skipped and not any(r.clips for r in results):
        raise LadaError(f'no clip could be created from {counted(len(paths), "file")}; {results[0].line()}')
    return results


def _hash_sources(paths: list[Path], index: SourceIndex, run, results: list[SourceResult],
                  say: Callable[[str], None]) -> list[Source]:
    """Return the sources among ``paths``; unreadable ones and duplicates are added to ``results``."""
    known = {path: index.sha256_of(path) for path in paths}
    unknown = [path for path in paths if known[path] is None]
    for path, (sha256, error) in zip(unknown, run([(hash_source, path) for path in unknown], 'reading'), strict=True):
        known[path] = sha256
        if error is not None:
            results.append(SourceResult(Source(path, path.name, ''), error=error))
            say(results[-1].line())
    sources, duplicates = name_sources(((p, s) for p, s in known.items() if s is not None), index.names())
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


def work_on_source(source: Source, root: Path, settings: CreationSettings, staging: Path | None,
                   watch: Watch) -> SourceResult:
    """Survey a source and, given ``staging``, cut the clips that are still missing (runs in a worker)."""
    result = SourceResult(source)
    try:
        found = survey(source, settings, watch.frames_done)
        clips, result.dropped = plan_clips(found, settings)
        result.clips, result.shots = len(clips), len(found.shots)
        result.frames = sum(clip.shot.stop - clip.shot.start for clip in clips)
        if staging is not None:
            missing = [clip for clip in clips if not metadata_path(root, clip.stem(source)).exists()]
            for _ in cut_clips(source, found, missing, settings, root, staging, watch.frames_done):
                result.written += 1
                watch.clip_done()
    except InterruptedError:
        raise
    except (LadaError, OSError) as error:
        result.error = ' '.join(str(error).split())
        result.clips = result.frames = 0
    return result


def _summarise(results: list[SourceResult], skipped: int, say: Callable[[str], None]) -> None:
    kept = [r for r in results if r.clips]
    say(f'{counted(sum(r.clips for r in kept), "clip")} of {counted(sum(r.frames for r in kept), "frame")} '
        f'from {len(kept)} of {counted(len(results) + skipped, "source")}'
        + (f', {skipped} of them finished before' if skipped else ''))
    reasons = sum((r.dropped for r in results), Counter())
    for reason, number in sorted(reasons.items()):
        say(f'dropped {number}: {reason}')
    failed = [r for r in results if r.error is not None]
    if failed:
        say(f'{counted(len(failed), "source")} could not be used, named above')


@contextmanager
def _staging(root: Path) -> Iterator[Path]:
    """Yield an empty folder for unfinished files in ``root``, which this process alone works on."""
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    staging = root / STAGING_FOLDER
    with only_run(root):
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            if not existed and not any(root.iterdir()):
                root.rmdir()
