"""The ground truth of the clip, and its built-in scores."""

import pytest

from lada.evaluation.scores import ClipReference, build_scores


@pytest.fixture(scope='session')
def reference(clip):
    clean, _, masks = clip
    return ClipReference(clean, masks != 0)


@pytest.fixture(scope='session')
def measure(reference):
    """Return a function that measures a restoration of the clip."""
    scores = build_scores()
    return lambda frames: reference.measure(frames, scores)
