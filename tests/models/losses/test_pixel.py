import pytest
import torch

from lada.models import CharbonnierLoss, L1Loss, MSELoss

LOSSES = [L1Loss, MSELoss, CharbonnierLoss]


@pytest.mark.parametrize('loss', LOSSES)
def test_golden(golden, loss):
    expected = float(golden.load('losses_discriminator_warp')[loss.__name__])
    value = loss(loss_weight=0.7, reduction='mean')(
        golden.rnd(22, 2, 3, 16, 16), golden.rnd(23, 2, 3, 16, 16)
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('loss', LOSSES)
def test_reductions_agree(loss):
    pred, target = torch.rand(2, 3, 3, 8, 8), torch.rand(2, 3, 3, 8, 8)
    each = loss(reduction='none')(pred, target)
    assert each.shape == pred.shape
    torch.testing.assert_close(loss(reduction='sum')(pred, target), each.sum())
    torch.testing.assert_close(loss()(pred, target), each.mean())


def test_weighted_mean_divides_by_the_weights():
    pred, target = torch.zeros(2, 1, 3, 4, 4), torch.ones(2, 1, 3, 4, 4)
    target[0] = 2
    weight = torch.zeros(2, 1, 1, 4, 4)
    weight[0, ..., 0] = 1
    weight[1] = 1
    # One column of four has weight in the first sample, all of the second: (4 * 2 + 16 * 1) / 20
    # pixels.
    assert L1Loss()(pred, target, weight=weight).item() == pytest.approx(24 / 20)
    assert L1Loss(sample_wise=True)(pred, target, weight=weight).item() == pytest.approx(
        (2 + 1) / 2
    )
    torch.testing.assert_close(
        L1Loss()(pred, target, weight=torch.full_like(weight, 3)), L1Loss()(pred, target)
    )
    assert L1Loss()(pred, target, weight=torch.zeros_like(weight)).item() == 0


def test_charbonnier_is_smooth_at_zero():
    pred = torch.zeros(1, 1, 2, 2, requires_grad=True)
    CharbonnierLoss(eps=1e-6)(pred, torch.zeros(1, 1, 2, 2)).backward()
    assert torch.equal(pred.grad, torch.zeros_like(pred))


def test_half_precision_predictions_lose_no_precision():
    target = torch.full((1, 3, 8, 8), 0.5)
    assert L1Loss()((target + 0.25).bfloat16(), target).dtype == torch.float32


def test_errors():
    with pytest.raises(ValueError, match='unsupported loss reduction'):
        L1Loss(reduction='median')
    with pytest.raises(ValueError, match='differ'):
        L1Loss()(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 5))
