"""A loss on how frames change."""

import torch

from lada.models.losses.temporal import TemporalDifferenceLoss


def test_values_and_gradient():
    pred = torch.rand(2, 3, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    target = torch.rand(2, 3, 3, 4, 4, dtype=torch.float64)
    loss = TemporalDifferenceLoss(loss_weight=0.5)(pred, target)
    error = pred.detach() - target
    torch.testing.assert_close(loss.detach(), 0.5 * (error[:, 1:] - error[:, :-1]).abs().mean())
    assert torch.autograd.gradcheck(TemporalDifferenceLoss(), (pred, target))


def test_the_same_error_in_every_frame_costs_nothing():
    target = torch.rand(1, 4, 3, 8, 8)
    pred = target + torch.rand(1, 1, 3, 8, 8)
    assert TemporalDifferenceLoss()(pred, target) < 1e-6


def test_pairs_weigh_as_the_lesser_of_both():
    pred, target = torch.zeros(1, 3, 3, 1, 2), torch.zeros(1, 3, 3, 1, 2)
    pred[:, 1, :, :, 0] = 1
    pred[:, 1, :, :, 1] = 5
    weight = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]).view(1, 3, 1, 1, 2)
    # Three pairs count: one of the first pixel (1), two of the second (5 each).
    torch.testing.assert_close(
        TemporalDifferenceLoss()(pred, target, weight), torch.tensor((1 + 5 + 5) / 3)
    )


def test_single_frames_cost_nothing_and_have_gradients():
    pred = torch.rand(1, 1, 3, 8, 8, requires_grad=True)
    loss = TemporalDifferenceLoss()(pred, torch.rand(1, 1, 3, 8, 8), torch.ones(1, 1, 1, 8, 8))
    loss.backward()
    assert loss == 0 and pred.grad is not None and not pred.grad.any()


def test_half_precision_predictions_lose_no_precision():
    pred = torch.rand(1, 2, 3, 8, 8)
    assert TemporalDifferenceLoss()(pred.bfloat16(), pred).dtype == torch.float32
