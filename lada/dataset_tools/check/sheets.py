"""What contact sheets are made of."""

import cv2
import numpy as np


def write_text(picture: np.ndarray, text: str, x: int, y: int, scale: float) -> None:
    """Write a line of black text onto a picture, in place.

    Args:
        picture: (H, W, 3) uint8.
        text: what cannot be written in ASCII becomes a question mark.
        x, y: where the text's baseline begins, in pixels.
        scale: size of the letters; 1 is about 22 pixels high.
    """
    ascii_text = text.encode('ascii', 'replace').decode()
    cv2.putText(
        picture, ascii_text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
    )


def encode_png(picture: np.ndarray) -> bytes:
    """Return an (H, W, 3) uint8 RGB picture as a PNG file."""
    return cv2.imencode('.png', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
