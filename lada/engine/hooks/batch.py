"""Looking into a collated batch."""

from typing import Any

from mmengine.dist import all_gather_object


def metadata_of(data_batch: Any, key: str) -> list[Any]:
    """Return one metadata value of each clip in a batch of either collate function, ``None`` where
    it has none.
    """
    samples = (data_batch or {}).get('data_samples') or []
    if not isinstance(samples, (list, tuple)):  # a stacked batch
        values = samples.metainfo.get(key)
        return values if isinstance(values, list) else [values]
    return [sample.metainfo.get(key) for sample in samples]


def sample_names(data_batch: Any) -> list[str]:
    """Return the keys of the clips in a batch."""
    return [str(key) for key in metadata_of(data_batch, 'key')]


def gather(values: list) -> list:
    """Return the lists of all ranks as one, in the order of the ranks. Every rank must call it."""
    return [value for part in all_gather_object(values) for value in part]
