"""Losses, under MMagic's names."""

from lada.models.losses.gan import GANLoss
from lada.models.losses.perceptual import PerceptualLoss
from lada.models.losses.pixel import CharbonnierLoss, L1Loss, MSELoss

__all__ = ['CharbonnierLoss', 'GANLoss', 'L1Loss', 'MSELoss', 'PerceptualLoss']
