"""What a data loader's worker processes can do to a run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch.utils.data import Dataset

from lada.data.worker import worker_context
from lada.engine.shared_memory import check_shared_memory
from lada.errors import LadaError, with_causes
from lada.text import one_line

# Seconds without a batch after which a worker counts as hanging: far above what the slowest clip
# takes.
TIMEOUT = 600
PREFETCH = 4
# A process's end is told within milliseconds.
SECONDS_TO_HEAR = 2


def with_defaults(config: dict) -> dict:
    """Return a data loader's config with what it leaves open, without what is for workers where
    there are none.

    ``timeout`` in seconds, ``worker_init_fn``, how processes are started, and with CUDA
    ``pin_memory``, so that batches are copied to the GPU while it computes. ``prefetch_factor``
    (batches a worker prepares ahead) is 4: batches are used in order and clips differ in size, so
    with PyTorch's 2 a worker often waits for another. The rest are PyTorch's own.
    """
    config = {
        'worker_init_fn': dict(type='init_lada_worker'),
        'pin_memory': torch.cuda.is_available(),
        **config,
    }
    if config.get('num_workers'):
        return {
            'timeout': TIMEOUT,
            'prefetch_factor': PREFETCH,
            'multiprocessing_context': worker_context(),
            **config,
        }
    # PyTorch refuses them where there is no worker that they could be for.
    workers_only = 'timeout', 'prefetch_factor', 'persistent_workers', 'multiprocessing_context'
    return {key: value for key, value in config.items() if key not in workers_only}


class LoaderError(LadaError):
    """A worker of a data loader ended, or gave nothing for too long."""


@contextmanager
def loader_errors(dataset: Dataset) -> Iterator[None]:
    """Turn the end of a worker, or a wait for one that is too long, into a :class:`LoaderError`
    naming its clips.
    """
    try:
        yield
    except LoaderError:
        raise
    except Exception as error:
        text = str(error)
        news = _news_of_an_end(error)
        if text.startswith('DataLoader timed out'):
            what = text.replace('DataLoader timed out', 'the data loader gave no batch')
            remedy = 'look at that clip and its disk, or raise train_dataloader.timeout'
        elif news is not None:
            what = f'a loader worker was killed ({one_line(news)})'
            remedy = (
                'memory may have run out: use fewer workers (train_dataloader.num_workers), then'
                ' run it again'
            )
        else:
            raise
        busy = getattr(dataset, 'busy_clips', list)()
        raise LoaderError(
            f'{what}; workers were busy with {", ".join(busy) or "no clip"}; {remedy}'
        ) from error


def _news_of_an_end(error: Exception) -> BaseException | None:
    """Return what says that a worker ended, where ``error`` comes of that."""
    # PyTorch's signal handler raises it in whatever is done then, which may make an error of its
    # own of it: MMEngine while it formats a config.
    for cause in with_causes(error):
        if isinstance(cause, RuntimeError) and str(cause).startswith('DataLoader worker'):
            return cause
    if isinstance(error, (ConnectionError, EOFError)):
        # A worker that ends in the middle of handing a batch over breaks a connection before the
        # signal handler has the news.
        with suppress(RuntimeError):
            time.sleep(SECONDS_TO_HEAR)
        return error
    return None


def check_loader_memory(name: str, dataset: Dataset, config: dict) -> None:
    """Raise :class:`LadaError` if what the workers of a loader prepare does not fit into shared
    memory; ``config`` as :func:`with_defaults` returns it.
    """
    workers, ahead = config.get('num_workers', 0), config.get('prefetch_factor', PREFETCH)
    check_shared_memory(name, dataset, workers, config.get('batch_size', 1), ahead)
