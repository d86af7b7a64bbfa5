"""Looking into a collated batch."""


def sample_names(data_batch: dict | None) -> list[str]:
    """Return the keys of the clips in a batch of either collate function."""
    samples = (data_batch or {}).get('data_samples') or []
    samples = samples if isinstance(samples, (list, tuple)) else [samples]
    return [str(sample.metainfo.get('key', '?')) for sample in samples]
