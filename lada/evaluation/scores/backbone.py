"""torchvision's classification networks with weights from a file, for libraries that would download
them.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse

import torch
from torchvision.models import get_model, get_model_weights

from lada.checkpoints.reading import load_state_dict_file
from lada.errors import LadaError
from lada.remote import is_address

_FEATURES = 'features.'


@contextlib.contextmanager
def given_weights(name: str, weights: str | Path, score: str) -> Iterator[None]:
    """Let torchvision take the default weights of a network from a file instead of the internet.

    The file is read without running code. Within, torch.hub's cache is a temporary folder that
    holds its convolutions under the name that torchvision looks for; the classifier, which no score
    uses, is zeros that take no room. The global generator is as before afterwards.

    Args:
        name: ``alexnet`` or ``vgg16``.
        weights: torchvision's state dict, path or address; only ``features.*`` is looked at.
        score: who needs it, for messages.

    Raises :class:`LadaError` for a file that is missing, damaged, or holds other weights.
    """
    url = get_model_weights(name)['DEFAULT'].value.url
    published = Path(urlparse(url).path).name
    where = f'give the path of {published} from {url}'
    if not is_address(weights) and not Path(weights).is_file():
        raise LadaError(f'{score}: no such weight file: {weights}; {where}')
    given = load_state_dict_file(weights)
    with torch.device('meta'):
        shapes = {key: value.shape for key, value in get_model(name).state_dict().items()}
    wrong = [
        key
        for key, shape in shapes.items()
        if key.startswith(_FEATURES) and (key not in given or given[key].shape != shape)
    ]
    if wrong:
        raise LadaError(
            f'{score}: no weights of {name}: {weights} (its {wrong[0]} is missing or of another'
            f' shape); {where}'
        )
    state = {
        key: given[key] if key.startswith(_FEATURES) else torch.zeros(()).expand(shape)
        for key, shape in shapes.items()
    }
    before = torch.hub.get_dir()
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        cache = Path(folder, 'checkpoints')
        cache.mkdir()
        torch.save(state, cache / published)
        torch.hub.set_dir(folder)
        try:
            yield
        finally:
            torch.hub.set_dir(before)
