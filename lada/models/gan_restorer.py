"""Adversarial training of a restorer (stage 2), in the manner of Real-ESRGAN (Wang et al. 2021) and
RealBasicVSR (Chan et al. 2022, "Investigating Tradeoffs in Real-World Video Super-Resolution").
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from lada.errors import LadaError
from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet
from lada.models.guidance import guidance
from lada.models.restorer import BasicVSR, build_or_none
from lada.models.unwrapping import unwrapped
from lada.registry import MODELS


@MODELS.register_module()
class BasicVSRPlusPlusGanNet(BasicVSRPlusPlusNet):
    """:class:`BasicVSRPlusPlusNet` with output of the input's size and a flow network that is never
    trained.

    Args:
        is_low_res_input: False, the only value there is.
    """

    def __init__(self, *args, is_low_res_input: bool = False, **kwargs):
        if is_low_res_input:
            raise LadaError(
                'BasicVSRPlusPlusGanNet: its output has the size of its input; leave'
                ' is_low_res_input out'
            )
        super().__init__(*args, is_low_res_input=False, **kwargs)
        self.spynet.requires_grad_(False)


@MODELS.register_module()
class BasicVSRPlusPlusGan(BasicVSR):
    """A generator trained by pixel, perceptual and adversarial losses, each optional; arguments as
    public Lada's class.

    Perceptual and adversarial losses look at single frames, (N·T, 3, H, W).

    Args:
        generator: config of the network.
        discriminator: config of the network that judges frames.
        gan_loss: config of the loss on its logits.
        pixel_loss: config of the loss between output and ground truth.
        perceptual_loss: config of the loss between features of both.
        is_use_ema: keep ``generator_ema``, which the hook ``ExponentialMovingAverageHook`` moves
            towards the generator and which predicts.
        train_cfg: ``mask_weight`` as in :class:`BasicVSR`, for the pixel loss; ``disc_steps`` (the
            generator is updated at every so many iterations), ``disc_init_steps`` (not before this
            iteration) and ``disc_repeat`` (updates of the discriminator in an iteration).
        test_cfg: as in :class:`BasicVSR`.
        init_cfg: likewise.
        data_preprocessor: likewise.
        further_losses: likewise.
    """

    TRAIN_SETTINGS = ('mask_weight', 'disc_steps', 'disc_init_steps', 'disc_repeat')

    def __init__(
        self,
        generator: dict,
        discriminator: dict | None = None,
        gan_loss: dict | None = None,
        pixel_loss: dict | None = None,
        perceptual_loss: dict | None = None,
        is_use_ema: bool = False,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        further_losses: dict[str, dict] | None = None,
    ):
        super().__init__(
            generator,
            pixel_loss,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
            data_preprocessor=data_preprocessor,
            further_losses=further_losses,
        )
        self.discriminator = build_or_none(discriminator)
        self.gan_loss = build_or_none(gan_loss)
        self.perceptual_loss: Any = (
            None if perceptual_loss is None else MODELS.build(perceptual_loss)
        )
        self.generator_ema = (
            copy.deepcopy(self.generator).requires_grad_(False) if is_use_ema else None
        )
        train_cfg = train_cfg or {}
        self.disc_steps = train_cfg.get('disc_steps', 1)
        self.disc_init_steps = train_cfg.get('disc_init_steps', 0)
        self.disc_repeat = train_cfg.get('disc_repeat', 1)

    @property
    def is_adversarial(self) -> bool:
        """Whether there is a discriminator to train against."""
        return self.discriminator is not None and self.gan_loss is not None

    def forward_tensor(
        self, inputs: Tensor, data_samples: BaseDataElement | list | None = None, **kwargs
    ) -> Tensor:
        """The output, not clamped, of the averaged generator where there is one."""
        generator = self.generator if self.generator_ema is None else self.generator_ema
        return generator(inputs, **guidance(generator, inputs, data_samples), **kwargs)

    def forward_train(
        self, inputs: Tensor, data_samples: BaseDataElement | list | None = None, **kwargs
    ) -> dict[str, Tensor]:
        """The generator's losses; :meth:`train_step` is what trains."""
        samples = self._training_samples(data_samples)
        known = guidance(self.generator, inputs, samples, self.steps_done)
        return self._generator_losses(self.generator(inputs, **known, **kwargs), samples)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Update the generator, then the discriminator; returns the losses, ``loss`` being the
        generator's sum.
        """
        data = self.data_preprocessor(data, True)
        inputs, samples = data['inputs'], self._training_samples(data['data_samples'])
        known = guidance(self.generator, inputs, samples, self.steps_done)
        log = {}
        if self.steps_done % self.disc_steps == 0 and self.steps_done >= self.disc_init_steps:
            with optim_wrapper['generator'].optim_context(self.generator):
                output = self.generator(inputs, **known)
                losses = self._generator_losses(output, samples)
            loss, log = self.parse_losses(losses)
            optim_wrapper['generator'].update_params(loss)
        elif self.is_adversarial:
            with torch.no_grad(), optim_wrapper['generator'].optim_context(self.generator):
                output = self.generator(inputs, **known)
        if self.is_adversarial:
            for _ in range(self.disc_repeat):
                log |= self._train_discriminator(
                    output.detach(), samples.gt_img, optim_wrapper['discriminator']
                )
        self._count_step()
        return log

    def _generator_losses(self, output: Tensor, samples: Any) -> dict[str, Tensor]:
        losses = {}
        if self.pixel_loss is not None:
            losses['loss_pix'] = self._pixel_loss_of(output, samples)
        losses |= self._further_losses_of(output, samples)
        pictures = output.flatten(0, 1)
        if self.perceptual_loss is not None:
            perceptual, style = self.perceptual_loss(pictures, samples.gt_img.flatten(0, 1))
            terms = dict(loss_perceptual=perceptual, loss_style=style)
            losses |= {name: term for name, term in terms.items() if term is not None}
        if self.is_adversarial:
            # Only the generator learns here: a data-parallel wrapper would wait for the
            # discriminator's gradients.
            with _without_gradients(unwrapped(self.discriminator)) as discriminator:
                losses['loss_gan'] = self.gan_loss(discriminator(pictures), target_is_real=True)
        return losses

    def _train_discriminator(
        self, fake: Tensor, real: Tensor, optim_wrapper: OptimWrapper
    ) -> dict[str, Tensor]:
        with optim_wrapper.optim_context(self.discriminator):
            losses = {
                name: self.gan_loss(
                    self.discriminator(clips.flatten(0, 1)), target_is_real, is_disc=True
                )
                for name, clips, target_is_real in (
                    ('loss_d_real', real, True),
                    ('loss_d_fake', fake, False),
                )
            }
        loss, log = self.parse_losses(losses)
        optim_wrapper.update_params(loss)
        del log['loss']
        return log

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        # MMagic does not store the counter of its adversarial models.
        state_dict.setdefault(f'{prefix}step_counter', self.step_counter)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


@contextmanager
def _without_gradients(module: nn.Module) -> Iterator[nn.Module]:
    """Let gradients pass through ``module`` without collecting its own."""
    module.requires_grad_(False)
    try:
        yield module
    finally:
        module.requires_grad_(True)
