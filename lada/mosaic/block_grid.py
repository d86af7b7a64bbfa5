"""What a mosaic's blocks say about the picture beneath, for batches of clips and with gradients.

A mosaic is average pooling on a grid: whatever restores it must, averaged over its blocks, give the
mosaic back (the affine projection of Sønderby et al. 2016, "Amortised MAP Inference for Image
Super-resolution"; for average pooling: Wang et al. 2022, "Generative Image Restoration via
Range-Null Space Decomposition", arXiv 2211.13524).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

# Cubic convolution as OpenCV and PyTorch compute it (Keys 1981, with a = -0.75).
_A = -0.75


class BlockGrid:
    """Where the blocks of a batch of clips lie; a pixel belongs to the block in which its centre
    lies.

    Means are over a block's masked pixels. All results are float32 and do not take part in
    autocasting.

    Args:
        masks: (N, T, H, W), not 0 where the mosaic is.
        blocks: height and width of a clip's blocks in pixels, fractions allowed; None, or less than
            one pixel: the clip's grid is not known.
        origins: for each clip (T, 2), position (y, x) of a crossing of the grid in each frame, or
            None.
    """

    def __init__(
        self,
        masks: Tensor,
        blocks: Sequence[Sequence[float] | None],
        origins: Sequence[Sequence[Sequence[float]] | Tensor | None],
    ):
        n, t, height, width = masks.shape
        known = [
            block is not None and origin is not None and min(block) >= 1
            for block, origin in zip(blocks, origins, strict=True)
        ]
        device = masks.device
        places = torch.zeros(n, t, 2, 2, dtype=torch.float64)
        places[..., 0] = max(height, width)
        for i in range(n):
            if known[i]:
                places[i, ..., 0] = torch.as_tensor(blocks[i], dtype=torch.float64)
                places[i, ..., 1] = torch.as_tensor(origins[i], dtype=torch.float64)
        places = places.flatten(0, 1)
        self.down = _Axis(height, places[:, 0], device)
        self.across = _Axis(width, places[:, 1], device)
        self.known = torch.tensor(known, device=device).view(n, 1, 1, 1, 1)
        """(N, 1, 1, 1, 1) bool: clips whose grid is known."""
        self.masks = (masks != 0).unsqueeze(2) & self.known
        """(N, T, 1, H, W) bool: pixels of blocks."""
        sides = places[..., 0].prod(-1).sqrt().view(n, t, 1, 1, 1)
        self.sides = sides.to(device, torch.float32)
        """(N, T, 1, 1, 1) float32: a block's side in pixels, the geometric mean of both."""
        self._weights = self.masks.flatten(0, 1).float()
        self._covered = self._sums(self._weights)

    @property
    def pixels(self) -> Tensor:
        """(N, T) how many pixels of a frame lie in blocks."""
        return self.masks.sum((2, 3, 4))

    def interpolate(self, frames: Tensor) -> Tensor:
        """Replace masked pixels by a bicubic interpolation between the means of the blocks, inside
        the mosaic and around it.

        (N, T, C, H, W) to the same shape.
        """
        with _full_precision(frames):
            flat = frames.flatten(0, 1).float()
            everywhere = self._sums(flat) / self._sums(torch.ones_like(flat[:, :1])).clamp(min=1)
            means = torch.where(self._covered > 0, self._means(flat), everywhere)
            smooth = self.down.smooth @ means @ self.across.smooth.transpose(-1, -2)
            return torch.where(self.masks, smooth.view_as(frames), frames.float())

    def consistent(self, frames: Tensor, mosaic: Tensor) -> Tensor:
        """Shift each block of ``frames`` so that its mean is the one of ``mosaic``; both
        (N, T, C, H, W).
        """
        with _full_precision(frames):
            missing = self._means((mosaic.float() - frames.float()).flatten(0, 1))
            shift = self.down.within.transpose(-1, -2) @ missing @ self.across.within
            return torch.where(self.masks, frames.float() + shift.view_as(frames), frames.float())

    def error(self, frames: Tensor, mosaic: Tensor) -> Tensor:
        """(N, T) root mean square difference of both clips' block means, over masked pixels; 0
        where there are none.
        """
        with _full_precision(frames):
            missing = self._means((mosaic.float() - frames.float()).flatten(0, 1))
            squares = (missing.square() * self._covered).sum((1, 2, 3)) / missing.shape[1]
            return (squares.view(frames.shape[:2]) / self.pixels.clamp(min=1)).sqrt()

    def _means(self, flat: Tensor) -> Tensor:
        """(M, C, R, B) means of the blocks over their masked pixels, 0 for blocks without any."""
        return self._sums(flat * self._weights) / self._covered.clamp(min=1)

    def _sums(self, flat: Tensor) -> Tensor:
        return self.down.within @ flat @ self.across.within.transpose(-1, -2)


class _Axis:
    """Matrices along one side of M frames of ``length`` pixels.

    ``within``: (M, 1, B, length), 1 where a pixel lies in a block. ``smooth``: (M, 1, length, B),
    weights of cubic interpolation between block centres.

    ``places``: (M, 2), a block's length and where one starts.
    """

    def __init__(self, length: int, places: Tensor, device: torch.device):
        pixels = torch.arange(length, dtype=torch.float64) + 0.5
        place = (pixels - places[:, 1:]) / places[:, :1]
        block = place.floor()
        first = block[:, :1].clone()
        number = (block - first).long()
        count = int(number.max()) + 1
        last = number[:, -1:]
        within = torch.zeros(len(place), count, length)
        within.scatter_(1, number[:, None], 1.0)
        centre = place - first - 0.5
        left = centre.floor()
        away = centre - left
        smooth = torch.zeros(len(place), length, count)
        for tap in range(-1, 3):
            target = (left.long() + tap).clamp(min=0).minimum(last)
            smooth.scatter_add_(2, target[..., None], _cubic((away - tap).abs())[..., None].float())
        self.within = within.unsqueeze(1).to(device)
        self.smooth = smooth.unsqueeze(1).to(device)


def _cubic(x: Tensor) -> Tensor:
    near = ((_A + 2) * x - (_A + 3)) * x * x + 1
    far = ((_A * x - 5 * _A) * x + 8 * _A) * x - 4 * _A
    return torch.where(x <= 1, near, far)


def _full_precision(frames: Tensor) -> torch.autocast:
    return torch.autocast(frames.device.type, enabled=False)
