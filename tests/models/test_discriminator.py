import numpy as np
import pytest
import torch

from lada.models import GANLoss, UNetDiscriminatorWithSpectralNorm


def test_golden(golden):
    data = golden.load('losses_discriminator_warp')
    net = UNetDiscriminatorWithSpectralNorm(3, 16, skip_connection=True)
    assert [name for name, _ in net.named_parameters()] == list(data['disc_params'])
    assert [name for name, _ in net.named_buffers()] == list(data['disc_buffers'])
    golden.set_weights(net)
    pictures = golden.rnd(20, 2, 3, 64, 64)
    with torch.no_grad():
        # What the power iteration of the training passes converges to.
        for number in range(1, 9):
            conv = net.get_submodule(f'conv_{number}')
            left, _, right = torch.linalg.svd(conv.weight_orig.flatten(1), full_matrices=False)
            conv.weight_u.copy_(left[:, 0])
            conv.weight_v.copy_(right[0])
        logits = net.eval()(pictures)
    np.testing.assert_allclose(logits[..., ::4, ::4], data['disc_out'], atol=1e-4)


@pytest.mark.parametrize('gan_type', ['vanilla', 'lsgan', 'hinge', 'wgan'])
def test_gan_loss_golden(golden, gan_type):
    logits = golden.rnd(24, 2, 1, 8, 8) * 4 - 2
    loss = GANLoss(gan_type, loss_weight=0.05, real_label_val=1.0, fake_label_val=0.0)
    values = [
        loss(logits, True),
        loss(logits, True, is_disc=True),
        loss(logits, False, is_disc=True),
    ]
    expected = golden.load('losses_discriminator_warp')[f'gan_{gan_type}']
    np.testing.assert_allclose(torch.stack(values), expected, rtol=1e-4)


def test_errors():
    with pytest.raises(ValueError, match='unknown gan_type'):
        GANLoss('best')
    with pytest.raises(ValueError, match='divisible by 8'):
        UNetDiscriminatorWithSpectralNorm(3, 4)(torch.rand(1, 3, 20, 24))
