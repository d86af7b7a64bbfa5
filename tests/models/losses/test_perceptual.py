"""Against torchvision's own network; the weights are random, as in a file of a stranger's VGG."""

import pytest
import torch
import torch.nn.functional as F
from torchvision.models import vgg11

from lada.errors import LadaError
from lada.models import PerceptualLoss


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return vgg11(weights=None).features[:9].eval()


@pytest.fixture(scope='module')
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp('vgg') / 'vgg11.pth'
    torch.save({f'features.{key}': value for key, value in network.state_dict().items()}, path)
    return str(path)


def outputs(network, pictures, layers, normalise=True):
    if normalise:
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        pictures = (pictures - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
    found = {}
    for number, layer in enumerate(network):
        # ReLU in place would overwrite the convolution's output.
        pictures = layer(pictures.clone())
        if number in layers:
            found[number] = pictures.clone()
    return found


@pytest.fixture
def pictures(golden):
    return golden.rnd(1, 2, 3, 32, 32), golden.rnd(2, 2, 3, 32, 32)


@pytest.mark.parametrize(('criterion', 'compare'), [('l1', F.l1_loss), ('mse', F.mse_loss)])
def test_perceptual_and_style_loss(network, weights, pictures, criterion, compare):
    loss = PerceptualLoss(
        {'3': 0.5, '6': 2.0},
        vgg_type='vgg11',
        perceptual_weight=0.2,
        style_weight=3.0,
        norm_img=False,
        pretrained=weights,
        criterion=criterion,
    )
    perceptual, style = loss(*pictures)
    with torch.no_grad():
        ours, theirs = (outputs(network, picture, (3, 6)) for picture in pictures)

        def gram(x):
            return torch.einsum('nchw,ndhw->ncd', x, x) / x[0].numel()

        torch.testing.assert_close(
            perceptual,
            0.2 * (0.5 * compare(ours[3], theirs[3]) + 2.0 * compare(ours[6], theirs[6])),
        )
        torch.testing.assert_close(
            style,
            3.0
            * (
                0.5 * compare(gram(ours[3]), gram(theirs[3]))
                + 2.0 * compare(gram(ours[6]), gram(theirs[6]))
            ),
        )


def test_ranges_weights_of_zero_and_gradients(weights, pictures):
    plain = PerceptualLoss(
        {'0': 1.0}, vgg_type='vgg11', style_weight=0, norm_img=False, pretrained=weights
    )
    signed = PerceptualLoss({'0': 1.0}, vgg_type='vgg11', perceptual_weight=0, pretrained=weights)
    prediction, truth = pictures[0].requires_grad_(), pictures[1].requires_grad_()
    perceptual, style = plain(prediction, truth)
    assert style is None
    perceptual.backward()
    assert prediction.grad.abs().sum() > 0 and truth.grad is None
    assert not any(parameter.requires_grad for parameter in plain.parameters())
    assert signed(prediction * 2 - 1, truth * 2 - 1)[0] is None
    both = PerceptualLoss({'0': 1.0}, vgg_type='vgg11', pretrained=weights)
    torch.testing.assert_close(both(prediction * 2 - 1, truth * 2 - 1)[0], perceptual)


def test_keys_are_mmagics(weights):
    keys = set(PerceptualLoss({'3': 1.0}, vgg_type='vgg11', pretrained=weights).state_dict())
    assert keys == {
        'vgg.mean',
        'vgg.std',
        'vgg.vgg_layers.0.weight',
        'vgg.vgg_layers.0.bias',
        'vgg.vgg_layers.3.weight',
        'vgg.vgg_layers.3.bias',
    }


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (dict(layer_weights={'16': 1.0}), 'no weights for layer 11'),
        (dict(layer_weights={'60': 1.0}), 'no layer 60'),
        (dict(vgg_type='vgg17'), "'vgg17'"),
        (dict(pretrained='nowhere.pth'), 'nowhere.pth'),
        (dict(pretrained='torchvision://vgg19'), 'not the weights of vgg11'),
    ],
)
def test_mistakes(weights, options, said):
    with pytest.raises(LadaError, match=said):
        PerceptualLoss(
            **(dict(layer_weights={'3': 1.0}, vgg_type='vgg11', pretrained=weights) | options)
        )
