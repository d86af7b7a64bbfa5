"""PSNR and SSIM of one picture, with the values MMagic 1.2.0 computes.

SSIM: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error
visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004: Gaussian
window of 11 pixels and sigma 1.5, K = (0.01, 0.03), averaged over the pixels whose window lies
inside the picture, channel by channel.
"""

import cv2
import numpy as np

WINDOW = 11
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMA = np.array([65.481, 128.553, 24.966])


def psnr(
    a: np.ndarray,
    b: np.ndarray,
    crop_border: int = 0,
    input_order: str = 'HWC',
    convert_to: str | None = None,
    mask: np.ndarray | None = None,
) -> float:
    """Return the peak signal-to-noise ratio in dB of two pictures.

    Equal pictures give ``inf``, an empty mask ``nan``.

    Args:
        a: RGB in [0, 255], or gray (H, W).
        b: another of the same shape.
        crop_border: pixels left out at every edge.
        input_order: ``HWC`` or ``CHW``.
        convert_to: ``Y`` compares BT.601 luma, ``None`` all channels.
        mask: (H, W); compare only where it is not 0.
    """
    total, count = squared_error(a, b, crop_border, input_order, convert_to, mask)
    return psnr_of_mse(total / count) if count else float('nan')


def ssim(
    a: np.ndarray,
    b: np.ndarray,
    crop_border: int = 0,
    input_order: str = 'HWC',
    convert_to: str | None = None,
    mask: np.ndarray | None = None,
) -> float:
    """Return the structural similarity of RGB pictures in [0, 255]; arguments as :func:`psnr`.

    With ``mask``, the map of local similarities, taken from the whole picture, is averaged over the
    masked pixels whose window lies inside the picture; ``nan`` when there is none. Raises
    :class:`ValueError` for pictures smaller than the window.
    """
    total, count = summed_similarity(a, b, crop_border, input_order, convert_to, mask)
    return total / count if count else float('nan')


def squared_error(a: np.ndarray, b: np.ndarray, *options) -> tuple[float, int]:
    """Return the sum of squared differences and the number of compared values; ``options`` as
    :func:`psnr`.
    """
    a, b, mask = _prepare(a, b, *options)
    squares = np.square(a - b)
    squares = squares if mask is None else squares[mask]
    return float(squares.sum()), squares.size


def summed_similarity(a: np.ndarray, b: np.ndarray, *options) -> tuple[float, int]:
    """Return the sum of the local similarities and their number; ``options`` as :func:`ssim`."""
    a, b, mask = _prepare(a, b, *options)
    if min(a.shape[:2]) < WINDOW:
        raise ValueError(
            f'pictures of {a.shape[1]}x{a.shape[0]} are smaller than the window of {WINDOW} pixels'
        )
    values = similarity(a, b, moments(a), moments(b))
    values = values if mask is None else values[valid(mask)]
    return float(values.sum()), values.size


def psnr_of_mse(mse: float) -> float:
    """Return the PSNR in dB for a mean squared error of values in [0, 255]."""
    return float(20 * np.log10(255 / np.sqrt(mse))) if mse else float('inf')


def luma(image: np.ndarray) -> np.ndarray:
    """Return BT.601 luma (16 to 235) of (..., 3) RGB in [0, 255], rounded to single precision as
    MMCV does: without that, a PSNR of luma differs from MMagic's in the sixth decimal.
    """
    luma = (image.astype(np.float32) / np.float32(255)) @ _LUMA + 16
    return (luma / 255).astype(np.float32) * np.float32(255)


def moments(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the windowed mean and variance (H - 10, W - 10, C) of a float picture (H, W, C)."""
    mean = _window_mean(image)
    return mean, _window_mean(image * image) - mean * mean


def similarity(
    a: np.ndarray, b: np.ndarray, of_a: tuple, of_b: tuple, black: float = 0.0
) -> np.ndarray:
    """Return the map of local SSIM (H - 10, W - 10, C).

    Args:
        a: float picture (H, W, C).
        b: another of the same shape.
        of_a: the :func:`moments` of ``a``.
        of_b: the moments of ``b``.
        black: the value that stands for 0; values around 0 keep single precision exact enough.
    """
    (mean_a, var_a), (mean_b, var_b) = of_a, of_b
    covariance = _window_mean(a * b) - mean_a * mean_b
    if black:
        mean_a, mean_b = mean_a - black, mean_b - black
    return (
        (2 * mean_a * mean_b + _C1)
        * (2 * covariance + _C2)
        / ((mean_a * mean_a + mean_b * mean_b + _C1) * (var_a + var_b + _C2))
    )


def valid(mask: np.ndarray) -> np.ndarray:
    """Return the part of a mask (H, W) that the maps of :func:`moments` cover."""
    margin = WINDOW // 2
    return mask[margin:-margin, margin:-margin]


def _window_mean(image: np.ndarray) -> np.ndarray:
    margin = WINDOW // 2
    kernel = cv2.getGaussianKernel(WINDOW, 1.5)
    smooth = cv2.sepFilter2D(image, -1, kernel, kernel)
    return np.atleast_3d(smooth)[margin:-margin, margin:-margin]


def _prepare(a, b, crop_border=0, input_order='HWC', convert_to=None, mask=None):
    if a.shape != b.shape:
        raise ValueError(f'pictures of different shapes: {a.shape} and {b.shape}')
    if input_order not in ('HWC', 'CHW'):
        raise ValueError(f"input_order must be 'HWC' or 'CHW', not {input_order!r}")
    if convert_to is not None and str(convert_to).lower() != 'y':
        raise ValueError(f"convert_to must be 'Y' or None, not {convert_to!r}")
    pictures = []
    for image in (a, b):
        if image.ndim == 2:
            image = image[..., None]
        elif input_order == 'CHW':
            image = image.transpose(1, 2, 0)
        image = image.astype(np.float64)
        if convert_to is not None and image.shape[2] == 3:
            image = luma(image)[..., None].astype(np.float64)
        pictures.append(np.ascontiguousarray(_crop(image, crop_border)))
    if mask is not None:
        if mask.shape != (a.shape[1:] if input_order == 'CHW' and a.ndim == 3 else a.shape[:2]):
            raise ValueError(f'a mask of shape {mask.shape} for pictures of shape {a.shape}')
        mask = _crop(np.asarray(mask) != 0, crop_border)
    return *pictures, mask


def _crop(image: np.ndarray, border: int) -> np.ndarray:
    return (
        image[border : image.shape[0] - border, border : image.shape[1] - border]
        if border
        else image
    )
