"""Restoring a mosaic without a network."""

from torch import Tensor, nn

from lada.mosaic.block_grid import BlockGrid


class ConsistentInterpolation(nn.Module):
    """Cubic interpolation of the block means, with the means of the mosaic kept
    (:mod:`lada.mosaic.block_grid`); stands in for a network.
    """

    takes_grid = True

    def forward(self, clip: Tensor, grid: BlockGrid | None) -> Tensor:
        """(N, T, 3, H, W) to the same shape; as it is where no grid is known."""
        return clip if grid is None else grid.consistent(grid.interpolate(clip), clip)
