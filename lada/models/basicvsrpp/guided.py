"""BasicVSR++ for mosaics whose block grid is known."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, init_convs_, zero_
from lada.models.basicvsrpp.net import BasicVSRPlusPlusNet
from lada.models.basicvsrpp.spynet import CHANNELS, SPyNet
from lada.mosaic.block_grid import BlockGrid
from lada.registry import MODELS

# What the network sees has no mean and a spread of about one: the interpolation, what it leaves of
# the mosaic, and in the mask the side of a block, of which so many pixels count as one.
_CENTRE, _SPREAD, _DETAIL, _SIDE = 0.5, 2.0, 4.0, 16.0


@MODELS.register_module()
class MosaicGuidedNet(BasicVSRPlusPlusNet):
    """BasicVSR++ of same-size output that starts from what the blocks tell.

    It restores the consistent interpolation of the mosaic (:mod:`lada.mosaic.block_grid`), sees the
    mosaic itself and its mask beside it, refines the result at full resolution, and its output
    gives the mosaic back when averaged over the blocks; pixels outside of them are the input's.
    Clips without a known grid are restored from the mosaic alone.

    Args:
        args: those of :class:`BasicVSRPlusPlusNet`.
        project: make the output's block means those of the mosaic.
        hint_drop: how often training hides a clip's grid, 0 to 1, so that the network also learns
            to do without.
        flow_channels: of the flow network's layers, see
            :class:`~lada.models.basicvsrpp.spynet.SPyNet`.
        head_channels: of the last layers and of the refinement.
        kwargs: those of :class:`BasicVSRPlusPlusNet`.
    """

    takes_grid = True

    def __init__(
        self,
        *args,
        project: bool = True,
        hint_drop: float = 0.1,
        flow_channels: Sequence[int] = CHANNELS,
        head_channels: int = 64,
        **kwargs,
    ):
        kwargs |= dict(in_channels=7, is_low_res_input=False, head_channels=head_channels)
        super().__init__(*args, **kwargs)
        self.project, self.hint_drop = project, hint_drop
        if tuple(flow_channels) != CHANNELS:
            self.spynet = SPyNet(kwargs.get('spynet_pretrained'), flow_channels)
        convs = [
            nn.Conv2d(inputs, outputs, 3, 1, 1)
            for inputs, outputs in ((10, head_channels), (head_channels, head_channels))
        ]
        last = nn.Conv2d(head_channels, 3, 3, 1, 1)
        first, second = (nn.LeakyReLU(LEAKY_SLOPE, inplace=True) for _ in convs)
        self.refine = nn.Sequential(convs[0], first, convs[1], second, last)
        init_convs_(convs)
        zero_(last)

    def forward(self, lqs: Tensor, grid: BlockGrid | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Restore clips (N, T, 3, H, W) in [0, 1]; returns the same shape."""
        if grid is None:
            return self._restore(lqs, lqs, torch.zeros_like(lqs[:, :, :1]))
        hint = grid.consistent(grid.interpolate(lqs), lqs).to(lqs.dtype)
        mask = (grid.masks * (grid.sides / _SIDE)).to(lqs.dtype)
        output = self._restore(lqs, hint, mask)
        if self.project:
            output = grid.consistent(output, lqs)
        return torch.where(grid.masks | ~grid.known, output, lqs)

    def _restore(self, lqs: Tensor, hint: Tensor, mask: Tensor) -> Tensor:
        seen = torch.cat([_SPREAD * (hint - _CENTRE), _DETAIL * (lqs - hint), mask], dim=2)
        output = super().forward(hint, seen)
        found = torch.cat([seen, _DETAIL * (output - hint)], dim=2).flatten(0, 1)
        found = found.contiguous(memory_format=torch.channels_last)
        return output + self.refine(found).unflatten(0, lqs.shape[:2])
