"""Losses, under MMagic's names. Every module of this package is imported with it: a file that holds
a registered class is all that a further loss needs.
"""

from lada.models.losses.gan import GANLoss
from lada.models.losses.perceptual import PerceptualLoss
from lada.models.losses.pixel import CharbonnierLoss, L1Loss, MSELoss, PixelLoss
from lada.registry import import_modules

__all__ = ['CharbonnierLoss', 'GANLoss', 'L1Loss', 'MSELoss', 'PerceptualLoss', 'PixelLoss']

import_modules(__name__)
