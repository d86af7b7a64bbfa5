"""Telling the user about clips that could not be read, and stopping when there are too many."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook

from lada.data.catalog import MAX_BAD_FRACTION
from lada.engine.hooks.batch import gather, metadata_of
from lada.engine.loops import SAMPLES_CONSUMED
from lada.errors import LadaError
from lada.registry import HOOKS

BAD_SAMPLES = 'bad_samples'
# A fraction of a few draws says nothing.
FEW_DRAWS = 1000


@HOOKS.register_module()
class BadSamplesHook(Hook):
    """Count the draws whose clip could not be read and was replaced by another
    (``MosaicVideoDataset``).

    Each such clip is named once in the log. Counts are summed over all ranks, are in every
    checkpoint, and all ranks stop alike.

    Args:
        max_bad_fraction: more bad draws than this fraction of all draws so far stop the run; a run
            that has made less than 1,000 draws is judged as if it had made 1,000.
    """

    def __init__(self, max_bad_fraction: float = MAX_BAD_FRACTION):
        self.max_bad_fraction = max_bad_fraction

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        bad = [clip for replaced in metadata_of(data_batch, 'replaced') for clip in replaced or ()]
        # Nearly always there is none, so the names are exchanged only when there are.
        count = torch.tensor(len(bad))
        all_reduce(count)
        if not count:
            return
        hub = runner.message_hub
        state = hub.runtime_info.get(BAD_SAMPLES, dict(count=0, clips=[]))
        clips = list(state['clips'])
        for name, reason in gather(bad):
            if name not in clips:
                clips.append(name)
                runner.logger.warning(
                    f'Clip {name} cannot be used and is replaced by another ({reason})'
                )
        total = state['count'] + int(count)
        hub.update_info(BAD_SAMPLES, dict(count=total, clips=clips))
        draws = hub.runtime_info[SAMPLES_CONSUMED]
        if total > self.max_bad_fraction * max(draws, FEW_DRAWS):
            raise LadaError(
                f'{total} of {draws} draws met a clip that cannot be used, more than'
                f' max_bad_fraction={self.max_bad_fraction} allows: {", ".join(clips)}; repair or'
                ' delete these clips (scripts/dataset_creation/check-dataset.py), then run the'
                ' same command again'
            )
