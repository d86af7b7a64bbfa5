"""Networks, losses and the models that MMEngine's Runner trains. Importing this package registers
them.
"""

from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
from lada.models.basicvsrpp.deform_conv import modulated_deform_conv2d
from lada.models.basicvsrpp.flow_warp import flow_warp
from lada.models.basicvsrpp.guided import MosaicGuidedNet
from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet
from lada.models.basicvsrpp.residual import ResidualBlocksWithInputConv
from lada.models.basicvsrpp.spynet import SPyNet
from lada.models.basicvsrpp.upsample import PixelShufflePack
from lada.models.discriminator import UNetDiscriminatorWithSpectralNorm
from lada.models.ensemble import SpatialTemporalEnsemble
from lada.models.gan_restorer import BasicVSRPlusPlusGan, BasicVSRPlusPlusGanNet
from lada.models.losses import CharbonnierLoss, GANLoss, L1Loss, MSELoss, PerceptualLoss
from lada.models.preprocessor import DataPreprocessor, EditDataPreprocessor
from lada.models.restorer import BasicVSR

__all__ = [
    'BasicVSR',
    'BasicVSRPlusPlusGan',
    'BasicVSRPlusPlusGanNet',
    'BasicVSRPlusPlusNet',
    'CharbonnierLoss',
    'DataPreprocessor',
    'EditDataPreprocessor',
    'GANLoss',
    'L1Loss',
    'MSELoss',
    'MosaicGuidedNet',
    'PerceptualLoss',
    'PixelShufflePack',
    'ResidualBlocksWithInputConv',
    'SPyNet',
    'SecondOrderDeformableAlignment',
    'SpatialTemporalEnsemble',
    'UNetDiscriminatorWithSpectralNorm',
    'flow_warp',
    'modulated_deform_conv2d',
]
