"""A metric that is one number per clip, averaged over clips."""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric

from lada.evaluation.results import mean

_MISSING = object()


class ClipMetric(BaseMetric):
    """Mean of :meth:`measure` over clips; the value is the same, bit for bit, for every number of
    ranks.

    A clip that the sampler hands to two ranks to fill the last round counts once. Sums are exactly
    rounded (:func:`math.fsum`), so that the order of clips does not show either.
    """

    default_prefix = ''  # MMEngine warns about None

    @abstractmethod
    def measure(self, sample: dict) -> Any:
        """Return the values of one clip by name; ``nan`` where one does not apply, which leaves the
        clip out of it.

        Something else where :meth:`compute_metrics` takes it.
        """

    def full_name(self, name: str) -> str:
        """Return a result's name with the metric's prefix."""
        return f'{self.prefix}/{name}' if self.prefix else name

    def result_names(self) -> list[str] | None:
        """Return the names of the results, without prefix; ``None``: known once measured."""
        return None

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Measure the clips of a batch."""
        for sample in data_samples:
            self.results.append((_identity(sample), self.measure(sample)))

    def evaluate(self, size: int) -> dict:
        """Return the means over the ``size`` clips of the dataset, on every rank."""
        parts = all_gather_object(self.results)
        # Rank r holds the positions r, r + W, ...: interleaving restores the dataset's order,
        # padding comes last.
        gathered = [
            result
            for group in zip_longest(*parts, fillvalue=_MISSING)
            for result in group
            if result is not _MISSING
        ]
        self.results.clear()
        known = {}
        for number, (identity, values) in enumerate(gathered):
            known.setdefault(number if identity is None else identity, values)
        metrics = self.compute_metrics(list(known.items())[:size])
        return {self.full_name(name): value for name, value in metrics.items()}

    def compute_metrics(self, results: list[tuple[Any, dict[str, float]]]) -> dict[str, float]:
        """Average each value over the clips that have it; ``results`` as :meth:`process` leaves
        them in ``self.results``, the values behind what tells the clip from others.
        """
        clips = [values for _, values in results]
        names = list(dict.fromkeys(name for values in clips for name in values))
        return {name: mean([values[name] for values in clips if name in values]) for name in names}


def _identity(sample: dict) -> tuple | None:
    """What tells a clip from others, or ``None`` where the dataset does not say."""
    names = ('gt_path', 'key', 'clip_start')
    if sample.get('key') is None and sample.get('gt_path') is None:
        return None
    return tuple(repr(sample.get(name)) for name in names)
