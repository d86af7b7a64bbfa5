"""Measuring checkpoints on a validation set."""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope
from torch.utils.data import DataLoader, Subset

from lada.data.worker import init_worker, worker_context
from lada.engine.config import config_errors
from lada.engine.distributed.agreement import versions
from lada.engine.distributed.team import Team
from lada.engine.runner import share_seed
from lada.errors import LadaError
from lada.evaluation.files import EvaluationFiles
from lada.evaluation.frames import to_frames
from lada.evaluation.measure import MeasuredClip, measure_clip
from lada.evaluation.results import BASELINES, BICUBIC, NEAR_PERFECT_DB, Evaluation
from lada.evaluation.scores import Score, build_scores
from lada.evaluation.spacing import evenly_spaced
from lada.folders import META_FOLDER
from lada.inference.loading import load_restorer
from lada.progress import Progress
from lada.text import counted, some


def evaluate(
    config: Config,
    checkpoints: list[str],
    device: torch.device,
    *,
    data: str | None = None,
    num_clips: int | None = None,
    scores: Sequence[Score],
    files: EvaluationFiles | None = None,
    processes: Team | None = None,
) -> Evaluation:
    """Measure every checkpoint, and the baselines, on the clips of the config's validation set.

    Args:
        config: with ``model`` and ``val_dataloader``; the samples are those that validation while
            training sees.
        checkpoints: training checkpoints or exported weights.
        data: root or metadata folder of another dataset to use, or the address of a packed one.
        num_clips: how many clips, evenly spaced over the set; all of them when ``None``.
        scores: what to measure, see :func:`scores_of`.
        files: get each clip; clips that they have from an earlier run are not measured again.
        processes: share the clips; the numbers are those of one process.
    """
    processes = processes or Team()
    labels = dict(zip(label_checkpoints(checkpoints), map(str, checkpoints), strict=True))
    dataset = build_dataset(config, data)
    models = {label: load_restorer(config, path, device) for label, path in labels.items()}
    evaluation = Evaluation(
        config=str(config.filename),
        data=str(dataset.metainfo['metadata_root_dir']),
        checkpoints=labels,
    )
    clips = evenly_spaced(len(dataset), num_clips)
    if files is not None and processes.leads:
        evaluation.clips += files.begin(_identity(config, dataset, clips, labels, scores))
        if evaluation.clips:
            print(f'continuing behind {counted(len(evaluation.clips), "clip")}', flush=True)
    rest = clips[processes.share(len(evaluation.clips)) :]
    mine = _measure(dataset, rest[processes.rank :: processes.size], models, scores)
    if not processes.leads:
        processes.contribute(mine)
    with (
        _explained(files is not None),
        Progress('evaluating', 'clip', len(clips)) as progress,
    ):
        progress.reach(len(evaluation.clips))
        for clip in processes.gather(mine, len(rest)):
            evaluation.clips.append(clip.result)
            if files is not None:
                files.add_clip(clip)
            progress.update()
    if any(BICUBIC not in clip.scores for clip in evaluation.clips):
        evaluation.notes.append(
            'Clips without an upright block grid have no interpolated baselines.'
        )
    near = evaluation.near_perfect()
    if near:
        evaluation.notes.append(
            f'{counted(len(near), "clip")} whose mosaic hides next to nothing (input above'
            f' {NEAR_PERFECT_DB:g} dB): {some(near)}. Their gains say little and can decide a mean:'
            ' look at the median, or leave them out.'
        )
    return evaluation


def _identity(
    config: Config,
    dataset: Any,
    clips: list[int],
    labels: Mapping[str, str],
    scores: Sequence[Score],
) -> dict:
    """Return what an evaluation that was stopped must have in common with one that continues it."""
    state = [Path(path).stat() for path in labels.values() if Path(path).exists()]  # no addresses
    keys = [dataset.stem(index) for index in clips] if hasattr(dataset, 'stem') else clips
    return {
        'versions': versions(),
        'config': config.pretty_text,
        'checkpoints': list(labels.items()),
        'files': [[status.st_size, status.st_mtime_ns] for status in state],
        'data': str(dataset.metainfo),
        'clips': hashlib.sha256(repr(keys).encode()).hexdigest(),
        'scores': [score.name for score in scores],
    }


@contextlib.contextmanager
def _explained(resumable: bool) -> Iterator[None]:
    """Let Ctrl-C say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if not resumable:
            raise
        raise KeyboardInterrupt('nothing is lost: run the same command again to go on') from None


def scores_of(config: Config, more: Iterable[dict] = ()) -> list[Score]:
    """Return what to measure: the scores that the config's ``MosaicGain`` measures in validation.

    Args:
        config: its ``val_evaluator`` may be of any form that MMEngine takes, or missing.
        more: configs of further scores.

    Raises :class:`LadaError` for a score that cannot be built.
    """
    named = [
        score
        for metric in _metrics(config.get('val_evaluator'))
        if _type_name(metric) == 'MosaicGain'
        for score in metric.get('scores') or ()
    ]
    with (
        config_errors(config),
        DefaultScope.overwrite_default_scope(config.get('default_scope', 'lada')),
    ):
        return build_scores([*named, *more])


def _metrics(evaluator) -> Iterator[dict]:
    """Yield the configs of an evaluator's metrics: of a list, one metric, or an ``Evaluator``."""
    if isinstance(evaluator, (list, tuple)):
        for item in evaluator:
            yield from _metrics(item)
    elif isinstance(evaluator, dict):
        yield evaluator
        yield from _metrics(evaluator.get('metrics'))


def _type_name(settings: dict) -> str:
    kind = settings.get('type')
    return getattr(kind, '__name__', str(kind)).rpartition('.')[2]


def label_checkpoints(checkpoints: list[str]) -> list[str]:
    """Return a short name for each path: the file's stem, preceded by folders as far as needed to
    tell them apart.
    """
    paths = [Path(path).absolute() for path in checkpoints]
    if len(set(paths)) < len(paths):
        raise LadaError('a checkpoint is named twice; name each once')
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        labels = ['/'.join([*path.parts[-depth:-1], path.stem]) for path in paths]
        if len(set(labels)) == len(labels) and not set(labels) & set(BASELINES):
            return labels
    return [str(path) for path in paths]


def build_dataset(config: Config, data: str | None = None):
    """Return the dataset of the config's ``val_dataloader``, on another root when ``data`` names
    one.
    """
    if config.get('val_dataloader') is None:
        raise LadaError(
            f'config {config.filename} has no val_dataloader; use a config with a validation set'
        )
    settings = share_seed(config).val_dataloader.dataset
    if data is not None:
        inside = Path(data, META_FOLDER)
        settings['metadata_root_dir'] = str(inside) if inside.is_dir() else data
    with (
        config_errors(config),
        DefaultScope.overwrite_default_scope(config.get('default_scope', 'lada')),
    ):
        return DATASETS.build(settings)


def _measure(
    dataset, clips: list[int], models: Mapping[str, BaseModel], scores: Sequence[Score]
) -> Iterator[MeasuredClip]:
    for batch in _samples(dataset, clips):
        restored, sample = {}, {}
        for label, model in models.items():
            sample = _predict(model, batch)
            restored[label] = to_frames(sample['pred_img'])
        yield measure_clip(sample, restored, scores)


def _samples(dataset, clips: list[int]) -> Iterator[dict]:
    """Yield batches of one clip, decoded ahead in one worker process."""
    loader = DataLoader(
        Subset(dataset, clips),
        batch_size=1,
        num_workers=1,
        collate_fn=pseudo_collate,
        worker_init_fn=init_worker,
        multiprocessing_context=worker_context(),
    )
    batches = iter(loader)
    for number in range(len(clips)):
        try:
            batch = next(batches)
        except LadaError as error:
            # The worker's error carries its traceback as text: loading the clip here gives the
            # plain one.
            with contextlib.suppress(IndexError):
                dataset[clips[number]]
            raise error
        yield batch


def _predict(model, batch: dict) -> dict:
    # val_step works on the batch's own samples: hand over copies, so that each model sees the same.
    batch = {
        'inputs': list(batch['inputs']),
        'data_samples': [sample.clone() for sample in batch['data_samples']],
    }
    with torch.no_grad():
        return model.val_step(batch)[0].to_dict()
