"""The weights that recipes start from or compare with."""

import re
import shlex
from pathlib import Path

from lada.doctor.finding import OK, WARNING, Finding
from lada.text import human_bytes, one_line


def weights() -> list[Finding]:
    """Look for the starter network, and for what a recipe would download."""
    import torchvision

    from lada.checkpoints.finding import starter_weights
    from lada.checkpoints.reading import downloaded_file, load_weights_file
    from lada.errors import LadaError

    try:
        path = starter_weights()
        count = len(load_weights_file(path))
        found = [Finding('starter network', OK, f'{path}, {count} tensors')]
    except LadaError as error:
        remedy = 'git checkout -- assets/weights/starter.safetensors'
        found = [Finding('starter network', WARNING, one_line(error), remedy)]
    address = torchvision.models.get_model_weights('vgg19')['DEFAULT'].url
    return [*found, downloaded('VGG19', address, downloaded_file(address), 'stage 2')]


def downloaded(name: str, address: str, path: Path, use: str) -> Finding:
    """Say whether a published file is at hand and whole.

    Args:
        name: of the network.
        address: of the file, whose name ends in the first digits of its SHA-256.
        path: where it is kept.
        use: who needs it.
    """
    from lada.files import file_sha256

    remedy = f'curl --create-dirs -Lo {shlex.quote(str(path))} {address}'
    if not path.is_file():
        return Finding(name, WARNING, f'not at hand; {use} downloads it when it begins', remedy)
    digits = re.search(r'-([0-9a-f]{8,64})\.', address)
    if digits and not file_sha256(path).startswith(digits[1]):
        return Finding(name, WARNING, f'{path} is damaged; {use} needs it', remedy)
    return Finding(name, OK, f'{path}, {human_bytes(path.stat().st_size)}')
