"""The error of this package."""

from lada.errors import LadaError


class VideoError(LadaError):
    """A video file is missing, damaged, no video at all, shorter than asked for, or cannot be
    written.
    """
