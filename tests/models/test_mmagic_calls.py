"""What a script written for MMagic's classes calls on Lada's."""

import pytest
import torch

from lada.models import (
    BasicVSRPlusPlusNet,
    GANLoss,
    PixelShufflePack,
    SPyNet,
    UNetDiscriminatorWithSpectralNorm,
)
from lada.models.basicvsrpp.residual import ResidualBlockNoBN


@pytest.mark.parametrize(
    'make', [lambda: PixelShufflePack(2, 2, 2, 3), lambda: ResidualBlockNoBN(2)]
)
def test_weights_are_drawn_anew(make):
    module = make()
    before = [p.clone() for p in module.parameters() if p.dim() > 1]
    module.init_weights()
    after = [p for p in module.parameters() if p.dim() > 1]
    for old, new in zip(before, after, strict=True):
        assert not torch.equal(old, new)
        assert new.std().item() == pytest.approx(old.std().item(), rel=0.5)


@pytest.mark.parametrize(
    'make',
    [
        lambda: BasicVSRPlusPlusNet(8, 1, deform_groups=4),
        lambda: SPyNet(None),
        lambda: UNetDiscriminatorWithSpectralNorm(3, 4),
    ],
)
def test_a_network_keeps_its_weights_at_the_start_of_a_training(make):
    network = make()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.init_weights()
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_gan_loss_of_absolute_distances():
    loss = GANLoss('l1', real_label_val=0.5, loss_weight=2.0)
    logits = torch.tensor([1.0, -1.0])
    assert loss(logits, True).item() == 2.0 and loss(logits, False, is_disc=True).item() == 1.0
