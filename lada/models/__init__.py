"""Networks, losses and the models that MMEngine's Runner trains. Importing this package registers them."""

from lada.models.alignment import SecondOrderDeformableAlignment
from lada.models.basicvsr_plusplus_net import BasicVSRPlusPlusNet
from lada.models.deform_conv import modulated_deform_conv2d, use_implementation
from lada.models.discriminator import UNetDiscriminatorWithSpectralNorm
from lada.models.ensemble import SpatialTemporalEnsemble
from lada.models.flow_warp import flow_warp
from lada.models.gan_restorer import BasicVSRPlusPlusGan, BasicVSRPlusPlusGanNet
from lada.models.losses import CharbonnierLoss, GANLoss, L1Loss, MSELoss, PerceptualLoss
from lada.models.preprocessor import DataPreprocessor, EditDataPreprocessor
from lada.models.residual import ResidualBlocksWithInputConv
from lada.models.restorer import BasicVSR
from lada.models.spynet import SPyNet
from lada.models.upsample import PixelShufflePack

__all__ = [
    'BasicVSR', 'BasicVSRPlusPlusGan', 'BasicVSRPlusPlusGanNet', 'BasicVSRPlusPlusNet', 'CharbonnierLoss',
    'DataPreprocessor', 'EditDataPreprocessor', 'GANLoss', 'L1Loss', 'MSELoss', 'PerceptualLoss', 'PixelShufflePack',
    'ResidualBlocksWithInputConv', 'SPyNet', 'SecondOrderDeformableAlignment',
    'SpatialTemporalEnsemble', 'UNetDiscriminatorWithSpectralNorm', 'flow_warp', 'modulated_deform_conv2d',
    'use_implementation',
]
