"""From element-wise losses to one number."""

from torch import Tensor

REDUCTIONS = ('none', 'mean', 'sum')


def check_reduction(reduction: str) -> str:
    """Return ``reduction``; raise :class:`ValueError` when it is none of :data:`REDUCTIONS`."""
    if reduction not in REDUCTIONS:
        raise ValueError(
            f'unsupported loss reduction {reduction!r}; choose one of {", ".join(REDUCTIONS)}'
        )
    return reduction


def reduce_loss(
    loss: Tensor, weight: Tensor | None = None, reduction: str = 'mean', sample_wise: bool = False
) -> Tensor:
    """Weight ``loss`` (N, ...) element by element and reduce it.

    ``weight`` broadcasts to the loss. With ``mean`` the sum is divided by the sum of the weights,
    so that a constant weight changes nothing; ``sample_wise`` does so for each of the N samples and
    averages over them.
    """
    if weight is None:
        return loss.mean() if reduction == 'mean' else loss.sum() if reduction == 'sum' else loss
    loss = loss * weight
    if reduction == 'none':
        return loss
    if reduction == 'sum':
        return loss.sum()
    tiny = 1e-12
    weight = weight.expand_as(loss)
    if sample_wise:
        return (loss.flatten(1).sum(1) / (weight.flatten(1).sum(1) + tiny)).mean()
    return loss.sum() / (weight.sum() + tiny)
