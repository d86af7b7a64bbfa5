"""BasicVSR++ for mosaics whose block grid is known."""

from collections.abc import Sequence

import torch
from torch import Tensor

from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet
from lada.models.basicvsrpp.spynet import CHANNELS, SPyNet
from lada.mosaic.block_grid import BlockGrid
from lada.registry import MODELS

# A block of so many pixels fills the mask's channel with ones.
_SIDE = 16.0


@MODELS.register_module()
class MosaicGuidedNet(BasicVSRPlusPlusNet):
    """BasicVSR++ of same-size output that starts from what the blocks tell.

    It restores the consistent interpolation of the mosaic (:mod:`lada.mosaic.block_grid`), sees the
    mosaic itself and its mask beside it, and its output gives the mosaic back when averaged over
    the blocks; pixels outside of them are the input's. Clips without a known grid are restored from
    the mosaic alone.

    Args:
        args: those of :class:`BasicVSRPlusPlusNet`.
        project: make the output's block means those of the mosaic.
        hint_drop: how often training hides a clip's grid, 0 to 1, so that the network also learns
            to do without.
        flow_channels: of the flow network's layers, see
            :class:`~lada.models.basicvsrpp.spynet.SPyNet`.
        kwargs: those of :class:`BasicVSRPlusPlusNet`.
    """

    def __init__(
        self,
        *args,
        project: bool = True,
        hint_drop: float = 0.1,
        flow_channels: Sequence[int] = CHANNELS,
        **kwargs,
    ):
        super().__init__(*args, in_channels=7, is_low_res_input=False, **kwargs)
        self.project, self.hint_drop = project, hint_drop
        if tuple(flow_channels) != CHANNELS:
            self.spynet = SPyNet(kwargs.get('spynet_pretrained'), flow_channels)

    def forward(self, lqs: Tensor, grid: BlockGrid | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Restore clips (N, T, 3, H, W) in [0, 1]; returns the same shape."""
        if grid is None:
            mask = torch.zeros_like(lqs[:, :, :1])
            return super().forward(lqs, torch.cat([lqs, lqs, mask], dim=2))
        hint = grid.consistent(grid.interpolate(lqs), lqs).to(lqs.dtype)
        mask = (grid.masks * (grid.sides / _SIDE)).to(lqs.dtype)
        output = super().forward(hint, torch.cat([hint, lqs, mask], dim=2))
        if self.project:
            output = grid.consistent(output, lqs)
        return torch.where(grid.masks | ~grid.known, output, lqs)
