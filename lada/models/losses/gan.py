"""Losses on a discriminator's logits."""

import torch.nn.functional as F
from torch import Tensor, nn

from lada.registry import MODELS

GAN_TYPES = ('vanilla', 'lsgan', 'l1', 'hinge', 'wgan')


@MODELS.register_module()
class GANLoss(nn.Module):
    """How far logits are from being judged real or fake.

    Args:
        gan_type: ``vanilla`` (binary cross-entropy, Goodfellow et al. 2014), ``lsgan`` (squared
            distance to the label, Mao et al. 2017), ``l1`` (absolute distance to it), ``hinge``
            (Miyato et al. 2018) or ``wgan`` (Arjovsky et al. 2017).
        real_label_val: label of real pictures, for the first three.
        fake_label_val: label of the generator's, likewise.
        loss_weight: scales the generator's loss only.
    """

    def __init__(
        self,
        gan_type: str,
        real_label_val: float = 1.0,
        fake_label_val: float = 0.0,
        loss_weight: float = 1.0,
    ):
        super().__init__()
        if gan_type not in GAN_TYPES:
            raise ValueError(
                f'GANLoss: unknown gan_type {gan_type!r}; choose one of {", ".join(GAN_TYPES)}'
            )
        self.gan_type = gan_type
        self.real_label_val, self.fake_label_val = real_label_val, fake_label_val
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, target_is_real: bool, is_disc: bool = False) -> Tensor:
        """The mean loss of ``logits`` (any shape) for the discriminator (``is_disc``) or the
        generator.
        """
        logits = logits.float()
        sign = -1 if target_is_real else 1
        if self.gan_type == 'wgan':
            loss = sign * logits.mean()
        elif self.gan_type == 'hinge':
            loss = F.relu(1 + sign * logits).mean() if is_disc else -logits.mean()
        else:
            label = logits.new_full(
                (), self.real_label_val if target_is_real else self.fake_label_val
            )
            label = label.expand_as(logits)
            if self.gan_type == 'vanilla':
                loss = F.binary_cross_entropy_with_logits(logits, label)
            elif self.gan_type == 'l1':
                loss = F.l1_loss(logits, label)
            else:
                loss = F.mse_loss(logits, label)
        return loss if is_disc else loss * self.loss_weight
