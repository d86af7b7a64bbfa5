"""MMEngine's Runner with safe loading and a data order that every rank and every restart shares."""

import copy

from mmengine.config import ConfigDict
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner as _Runner

from lada.engine.checkpoint import fit_state_dict, load_generator_weights, load_training_checkpoint
from lada.engine.loops import replays_batches
from lada.registry import RUNNERS

DEFAULT_SEED = 42
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


@RUNNERS.register_module()
class Runner(_Runner):
    """A Runner whose sampler and dataset take their seed from ``randomness.seed`` on every rank.

    MMEngine hands the sampler no seed under ``diff_rank_seed=True``, so that it draws one, which no restart could
    repeat. Checkpoints are read without unpickling code and must fit the model exactly.
    """

    @classmethod
    def from_cfg(cls, cfg):
        return super().from_cfg(share_seed(cfg))

    def load_or_resume(self) -> None:
        if self._resume or self._has_loaded:
            super().load_or_resume()
        elif self._load_from is None:
            self.logger.info('No checkpoint to resume: training starts afresh at iteration 0')
        else:
            load_generator_weights(self._bare_model, self._load_from)
            self._has_loaded = True
            self.logger.info(f'No checkpoint to resume: training starts afresh from the weights in {self._load_from}')

    def resume(self, filename, *args, **kwargs) -> None:
        super().resume(filename, *args, **kwargs)
        how = 'every batch is replayed first' if replays_batches() else 'no batch is replayed'
        self.logger.info(f'Resuming {filename}: training continues from iteration {self.iter}, {how}')

    def load_checkpoint(self, filename, map_location='cpu', strict=True, revise_keys=()):
        """Load a training checkpoint: on the CPU and strictly, whatever MMEngine's other arguments say."""
        checkpoint = load_training_checkpoint(filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        fit_state_dict(self._bare_model, checkpoint['state_dict'], str(filename))
        self._has_loaded = True
        return checkpoint

    @property
    def _bare_model(self):
        return self.model.module if is_model_wrapper(self.model) else self.model


def share_seed(cfg):
    """Return a copy of ``cfg`` whose samplers and Lada datasets name ``randomness.seed`` explicitly."""
    cfg = copy.deepcopy(cfg)
    randomness = cfg.get('randomness') or ConfigDict()
    seed = randomness.get('seed')
    seed = DEFAULT_SEED if seed is None else seed
    cfg['randomness'] = ConfigDict({**randomness, 'seed': seed})
    for name in _LOADERS:
        loader = cfg.get(name)
        if not isinstance(loader, dict):
            continue
        if isinstance(loader.get('sampler'), dict):
            loader['sampler'].setdefault('seed', seed)
        dataset = loader.get('dataset')
        if isinstance(dataset, dict) and str(dataset.get('type')).split('.')[-1] == 'MosaicVideoDataset':
            dataset.setdefault('seed', seed)
    return cfg
