"""What a data loading worker does first."""

import cv2
import torch
from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module('init_lada_worker')
def init_worker(worker_id: int, num_workers: int = 0, rank: int = 0, seed: int | None = None) -> None:
    """Keep a worker process to one thread; for ``worker_init_fn=dict(type='init_lada_worker')``.

    Several workers that each start a thread per core slow one another down. No seeding: samples draw from
    :func:`lada.data.sample_rng` only. The arguments are those MMEngine passes to such functions.
    """
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
