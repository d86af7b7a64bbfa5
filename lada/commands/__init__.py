"""One file a command: ``build_parser()`` and ``main(args)``; nothing heavy is imported before
``main`` runs. :data:`COMMANDS` is what ``lada`` can be asked for.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """How a command is called, and where it is.

    Attributes:
        name: after ``lada``.
        module: its file in this package.
        group: heading under which the help lists it.
        summary: what it does, in one line.
        script: its file below ``scripts/``; empty for one without.
    """

    name: str
    module: str
    group: str
    summary: str
    script: str = ''


_DATA, _TRAINING, _RESULTS, _FILES, _TOOLKIT = (
    'make a dataset',
    'train',
    'look at results and use them',
    'other formats',
    'the toolkit itself',
)
# fmt: off
COMMANDS = (
    Command('clips', 'create', _DATA, 'cut videos into clips',
            'dataset_creation/create-mosaic-restoration-dataset.py'),
    Command('check', 'check', _DATA, 'check every clip, or a split for leakage',
            'dataset_creation/check-dataset.py'),
    Command('preview', 'preview', _DATA, 'draw training samples: a sheet, or a page of all',
            'dataset_creation/preview-dataset.py'),
    Command('split', 'split', _DATA, 'give a part of the clips to validation',
            'dataset_creation/split-train-val-dataset.py'),
    Command('pack', 'pack', _DATA, 'pack a dataset into a few files, or unpack it',
            'dataset_creation/pack-dataset.py'),
    Command('train', 'train', _TRAINING, 'train a network from a config file, or go on with it',
            'training/train-mosaic-restoration-basicvsrpp.py'),
    Command('plot', 'plot', _TRAINING, 'plot loss, learning rate and scores of runs',
            'evaluation/plot-training-log.py'),
    Command('eval', 'evaluate', _RESULTS, 'measure checkpoints on a validation set',
            'evaluation/evaluate-mosaic-restoration-basicvsrpp.py'),
    Command('compare', 'compare', _RESULTS, 'say whether one checkpoint is better than another',
            'evaluation/compare-evaluations.py'),
    Command('restore', 'restore', _RESULTS, 'restore the mosaics of a video',
            'evaluation/restore-video.py'),
    Command('find', 'find', _RESULTS, 'find the mosaics of a video',
            'evaluation/find-mosaic.py'),
    Command('export', 'export', _FILES, 'reduce a checkpoint to the weights for inference',
            'training/export-weights-basicvsrpp-for-inference.py'),
    Command('convert-metadata', 'convert_metadata', _FILES, 'write metadata in another version',
            'dataset_creation/convert-metadata.py'),
    Command('convert-to-stage2', 'convert_to_stage2', _FILES, 'make a start for stage 2',
            'training/convert-weights-basicvsrpp-stage1-to-stage2.py'),
    Command('convert-trusted', 'convert_trusted', _FILES, 'convert a checkpoint that is refused',
            'training/convert-trusted-checkpoint.py'),
    Command('doctor', 'doctor', _TOOLKIT, 'say what this machine lacks, and what mends it'),
    Command('completion', 'completion', _TOOLKIT, "print a shell's completion of these commands"),
)
# fmt: on


def find_command(name: str) -> Command | None:
    """Return the command of a name, or of a module's name; None where there is none."""
    return next((each for each in COMMANDS if name in (each.name, each.module)), None)
