"""The model that a Runner trains: a generator, a pixel loss, and what happens to a batch."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from lada.checkpoints.fitting import load_into
from lada.data.data_sample import DataSample, split_samples, stack_samples
from lada.errors import LadaError
from lada.models.guidance import guidance, takes_grid
from lada.registry import MODELS

# Parts that MMagic's `fix_iter` keeps at their pretrained weights.
FIXED_PARTS = ('spynet', 'edvr')


@MODELS.register_module()
class BasicVSR(BaseModel):
    """Restore clips with a recurrent generator trained by a pixel loss.

    Args:
        generator: config of the network.
        pixel_loss: config of the loss between output and ground truth.
        ensemble: ``dict(type='SpatialTemporalEnsemble', is_temporal_ensemble=...)`` for
            predictions.
        train_cfg: ``fix_iter`` (iterations during which the flow network is kept) and
            ``mask_weight`` (how much a pixel outside the sample's ``mosaic_mask`` counts, one
            inside counting 1; a clip's loss is the weighted mean, so its scale stays that of a mean
            error; 0 looks at the mosaic only; left out, every pixel counts the same, no mask is
            needed).
        test_cfg: kept for MMagic's configs, without effect.
        init_cfg: as in MMEngine's ``BaseModule``; ``Pretrained`` files are read without running
            code.
        data_preprocessor: config or module; unless given, uint8 frames are scaled to [0, 1].
        further_losses: configs of losses that are added to the pixel loss, each under a name of
            your choice, which the log shows as ``loss_<name>``; weighted as the pixel loss by
            ``mask_weight``.
    """

    TRAIN_SETTINGS = ('fix_iter', 'mask_weight')
    data_preprocessor: Any

    def __init__(
        self,
        generator: dict,
        pixel_loss: dict | None,
        ensemble: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        further_losses: dict[str, dict] | None = None,
    ):
        data_preprocessor = data_preprocessor or dict(
            type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3
        )
        if isinstance(data_preprocessor, dict):
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.train_cfg, self.test_cfg = train_cfg, test_cfg
        self.generator = MODELS.build(generator)
        self.pixel_loss = build_or_none(pixel_loss)
        self.further_losses = nn.ModuleDict(
            {name: MODELS.build(loss) for name, loss in (further_losses or {}).items()}
        )
        self.forward_ensemble = build_or_none(ensemble)
        if ensemble is not None and takes_grid(self.generator):
            raise LadaError(
                'a MosaicGuidedNet knows its block grid in one orientation only; leave ensemble out'
            )
        train_cfg = train_cfg or {}
        unknown = sorted(set(train_cfg) - set(self.TRAIN_SETTINGS))
        if unknown:
            raise LadaError(
                f'unknown key in train_cfg of {type(self).__name__}: {", ".join(unknown)}; '
                f'it knows {", ".join(self.TRAIN_SETTINGS)}'
            )
        self.fix_iter = train_cfg.get('fix_iter', 0)
        self.mask_weight = _mask_weight(train_cfg.get('mask_weight'))
        self.step_counter: Tensor
        self.register_buffer('step_counter', torch.zeros(1))
        self._steps: int | None = None

    def init_weights(self) -> None:
        """Apply ``init_cfg``; a ``Pretrained`` checkpoint is read by
        :mod:`lada.checkpoints.reading`, which runs no code in it.
        """
        settings = self.init_cfg if isinstance(self.init_cfg, (list, tuple)) else [self.init_cfg]
        pretrained = [
            setting for setting in settings if setting and setting['type'] == 'Pretrained'
        ]
        self.init_cfg = [
            setting for setting in settings if setting and setting['type'] != 'Pretrained'
        ] or None
        super().init_weights()
        for setting in pretrained:
            load_into(self, setting['checkpoint'], prefix=setting.get('prefix') or '', strict=False)

    def forward(
        self,
        inputs: Tensor | dict,
        data_samples: BaseDataElement | list | None = None,
        mode: str = 'tensor',
        **kwargs,
    ) -> Tensor | dict[str, Tensor] | list[BaseDataElement]:
        """``inputs``: (N, T, 3, H, W) in [0, 1], or a dictionary with it under ``img``.

        ``mode``: ``loss`` gives ``dict(loss=...)``, ``predict`` a list of samples, ``tensor`` the
        generator's output.
        """
        inputs = inputs['img'] if isinstance(inputs, dict) else inputs
        if mode == 'tensor':
            return self.forward_tensor(inputs, data_samples, **kwargs)
        if mode == 'loss':
            return self.forward_train(inputs, data_samples, **kwargs)
        if mode == 'predict':
            return self.forward_inference(inputs, data_samples, **kwargs)
        raise ValueError(f"unknown mode {mode!r}; choose 'loss', 'predict' or 'tensor'")

    def forward_tensor(
        self, inputs: Tensor, data_samples: BaseDataElement | list | None = None, **kwargs
    ) -> Tensor:
        """The generator's output, not clamped; a ``grid`` among ``kwargs`` takes the place of the
        samples'.
        """
        known = {} if 'grid' in kwargs else guidance(self.generator, inputs, data_samples)
        return self.generator(inputs, **known, **kwargs)

    def forward_train(
        self, inputs: Tensor, data_samples: BaseDataElement | list | None = None, **kwargs
    ) -> dict[str, Tensor]:
        """``dict(loss=...)`` of one training step, or its terms; ``data_samples`` holds ``gt_img``
        of the output's shape.
        """
        samples = self._training_samples(data_samples)
        self.prepare_step()
        known = guidance(self.generator, inputs, samples, self.steps_done)
        output = self.forward_tensor(inputs, data_samples, **known, **kwargs)
        loss = self._pixel_loss_of(output, samples)
        self._count_step()
        if not self.further_losses:
            return dict(loss=loss)
        return dict(loss_pix=loss, **self._further_losses_of(output, samples))

    def forward_inference(
        self, inputs: Tensor, data_samples: BaseDataElement | list | None = None, **kwargs
    ) -> list[BaseDataElement]:
        """One sample per clip: what came in, plus ``pred_img`` and ``input``, (T, 3, H, W) float32
        in [0, 255]; ``output.pred_img`` is the same tensor, where MMagic's metrics look for it.

        Where ``gt_img`` is one picture, ``pred_img`` is the centre frame's.
        """
        if self.forward_ensemble is None:
            output = self.forward_tensor(inputs, data_samples, **kwargs)
        else:
            output = self.forward_ensemble(
                inputs, lambda clip: self.forward_tensor(clip, data_samples, **kwargs)
            )
        count = len(inputs)
        samples = _stacked(data_samples)
        samples: Any = BaseDataElement() if samples is None else samples
        output = self.data_preprocessor.destruct(output, samples).cpu()
        frames = self.data_preprocessor.destruct(inputs, samples).cpu()
        if 'gt_img' in samples and samples.gt_img.dim() == 4:
            output = self._centre_frame(inputs, output)
        results = split_samples(samples, count)
        for sample, prediction, clip in zip(results, output, frames, strict=True):
            sample.set_field(prediction, 'pred_img')
            sample.set_field(DataSample(pred_img=prediction), 'output')
            sample.set_field(clip, 'input')
        return results

    @property
    def steps_done(self) -> int:
        """Training steps so far, without asking the device each time."""
        if self._steps is None:
            self._steps = int(self.step_counter.item())
        return self._steps

    def prepare_step(self) -> None:
        """Freeze or thaw the flow network for the training step that follows."""
        self.fix_parts(self.steps_done < self.fix_iter)

    def fix_parts(self, fixed: bool) -> None:
        """Keep or train the parts named in ``FIXED_PARTS``."""
        for name, parameter in self.generator.named_parameters():
            if any(part in name for part in FIXED_PARTS) and parameter.requires_grad == fixed:
                parameter.requires_grad_(not fixed)

    def _count_step(self) -> None:
        self._steps = self.steps_done + 1
        self.step_counter += 1

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._steps = None
        super()._load_from_state_dict(*args, **kwargs)

    @staticmethod
    def _training_samples(data_samples: BaseDataElement | list | None) -> Any:
        samples = _stacked(data_samples)
        if samples is None or 'gt_img' not in samples:
            raise LadaError('no gt_img in the training batch; check the pipeline')
        return samples

    def _pixel_loss_of(self, output: Tensor, samples: Any) -> Tensor:
        if output.shape != samples.gt_img.shape:
            remedy = 'check scale, clip length and padding'
            if output.shape[-1] == 4 * samples.gt_img.shape[-1]:
                remedy = (
                    'the network enlarges its input four times, set is_low_res_input=False in'
                    " model.generator (public Lada's BasicVSRPlusPlusNet never enlarges)"
                )
            raise LadaError(
                f'output and gt_img differ in shape: {tuple(output.shape)} and '
                f'{tuple(samples.gt_img.shape)}; {remedy}'
            )
        weight = self._pixel_weight(samples, output)
        if weight is None or getattr(self.pixel_loss, 'reduction', 'mean') != 'mean':
            return self.pixel_loss(
                output, samples.gt_img, **({} if weight is None else dict(weight=weight))
            )
        # A mean over clips, so that the loss does not depend on how a global batch is spread over
        # ranks.
        losses = [
            self.pixel_loss(*clip[:2], weight=clip[2])
            for clip in zip(output.split(1), samples.gt_img.split(1), weight.split(1), strict=True)
        ]
        return torch.stack(losses).mean()

    def _further_losses_of(self, output: Tensor, samples: Any) -> dict[str, Tensor]:
        """The further losses by their names in the log, each a mean over clips."""
        weight = self._pixel_weight(samples, output)
        weights = [None] * len(output) if weight is None else weight.split(1)
        clips = list(zip(output.split(1), samples.gt_img.split(1), weights, strict=True))
        losses = {}
        for name, loss in self.further_losses.items():
            terms = [loss(pred, target, weight=own) for pred, target, own in clips]
            losses[f'loss_{name}'] = torch.stack(terms).mean()
        return losses

    def _pixel_weight(self, samples: BaseDataElement, output: Tensor) -> Tensor | None:
        if self.mask_weight is None:
            return None
        mask = samples.get('mosaic_mask')
        expected = (*output.shape[:2], *output.shape[3:])
        if mask is None or tuple(mask.shape) != expected:
            found = None if mask is None else tuple(mask.shape)
            raise LadaError(
                f'train_cfg.mask_weight needs mosaic_mask of shape {expected} in the batch, found'
                f' {found}; check the pipeline or remove mask_weight'
            )
        return (
            torch.where(mask > 0, 1.0, self.mask_weight)
            .to(output.device, torch.float32)
            .unsqueeze(2)
        )

    @staticmethod
    def _centre_frame(inputs: Tensor, output: Tensor) -> Tensor:
        t = output.shape[1]
        if t % 2 == 0 and torch.equal(inputs[:, : t // 2], inputs[:, t // 2 :].flip(1)):
            return 0.5 * (output[:, t // 4] + output[:, -1 - t // 4])
        return output[:, t // 2]


def build_or_none(config: dict | None) -> Any:
    """Return what a config describes, ``None`` for none."""
    return None if config is None else MODELS.build(config)


def _stacked(samples: BaseDataElement | list | None) -> Any:
    return stack_samples(samples) if isinstance(samples, (list, tuple)) else samples


def _mask_weight(setting: float | None) -> float | None:
    if setting is None:
        return None
    if (
        isinstance(setting, bool)
        or not isinstance(setting, (int, float))
        or not 0 <= setting < float('inf')
    ):
        raise LadaError(
            f'wrong train_cfg.mask_weight: {setting!r}; give the weight of pixels outside the'
            ' mosaic, a number >= 0, for example 0.05'
        )
    return float(setting)
