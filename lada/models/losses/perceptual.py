"""Distances between the features of a classification network (Johnson et al. 2016, "Perceptual
Losses for Real-Time Style Transfer and Super-Resolution").
"""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from lada.checkpoints.reading import load_state_dict_file
from lada.errors import LadaError
from lada.registry import MODELS

CRITERIA = {'l1': F.l1_loss, 'mse': F.mse_loss}
TORCHVISION = 'torchvision://'
# Mean and standard deviation of ImageNet's pictures in [0, 1], RGB.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PerceptualVGG(nn.Module):
    """The first layers of a VGG network (Simonyan & Zisserman 2015); frozen, never trained.

    Args:
        layer_name_list: numbers of the layers in torchvision's ``vgg.features`` whose output is
            asked for.
        vgg_type: name of the network in torchvision.
        use_input_norm: normalise pictures in [0, 1] as VGG was trained.
        pretrained: ``torchvision://<vgg_type>``, or path or address of a torchvision state dict.
    """

    def __init__(
        self,
        layer_name_list: list[str],
        vgg_type: str = 'vgg19',
        use_input_norm: bool = True,
        pretrained: str = 'torchvision://vgg19',
    ):
        super().__init__()
        self.layer_name_list = list(layer_name_list)
        self.use_input_norm = use_input_norm
        features = _features(vgg_type)
        count = max(map(int, self.layer_name_list)) + 1
        if count > len(features):
            raise LadaError(
                f'PerceptualLoss: {vgg_type} has no layer {count - 1}; its layers are 0 to '
                f'{len(features) - 1}'
            )
        self.vgg_layers = features[:count]
        for layer in self.vgg_layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the output of the convolution before it may be asked for
        _load(self.vgg_layers, vgg_type, pretrained)
        if use_input_norm:
            self.mean: Tensor
            self.std: Tensor
            self.register_buffer('mean', torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
            self.register_buffer('std', torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        self.vgg_layers.requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Features by layer of pictures (N, 3, H, W)."""
        if self.use_input_norm:
            x = (x - self.mean) / self.std
        features = {}
        for name, layer in self.vgg_layers.named_children():
            x = layer(x)
            if name in self.layer_name_list:
                features[name] = x
        return features


@MODELS.register_module()
class PerceptualLoss(nn.Module):
    """How far apart two pictures are to a VGG network, under MMagic's arguments.

    Args:
        layer_weights: weight by layer, a number in torchvision's ``vgg.features``.
        layer_weights_style: likewise for the style loss, which compares Gram matrices (Gatys et al.
            2016); ``layer_weights`` unless given.
        vgg_type: name of the network in torchvision.
        use_input_norm: normalise pictures in [0, 1] as VGG was trained.
        perceptual_weight: scales the perceptual loss; 0 switches it off.
        style_weight: scales the style loss; 0 switches it off.
        norm_img: pictures are in [-1, 1] instead of [0, 1].
        pretrained: ``torchvision://<vgg_type>``, or path or address of a torchvision state dict.
        criterion: ``l1`` or ``mse``.
    """

    def __init__(
        self,
        layer_weights: Mapping[str, float],
        layer_weights_style: Mapping[str, float] | None = None,
        vgg_type: str = 'vgg19',
        use_input_norm: bool = True,
        perceptual_weight: float = 1.0,
        style_weight: float = 1.0,
        norm_img: bool = True,
        pretrained: str = 'torchvision://vgg19',
        criterion: str = 'l1',
    ):
        super().__init__()
        if criterion.lower() not in CRITERIA:
            raise ValueError(
                f'PerceptualLoss: unknown criterion {criterion!r}; choose one of'
                f' {", ".join(CRITERIA)}'
            )
        self.criterion = CRITERIA[criterion.lower()]
        self.norm_img = norm_img
        self.perceptual_weight, self.style_weight = perceptual_weight, style_weight
        self.layer_weights = dict(layer_weights)
        self.layer_weights_style = dict(layer_weights_style or layer_weights)
        self.vgg = PerceptualVGG(list(self.layer_weights), vgg_type, use_input_norm, pretrained)
        # A second network under MMagic's name, where the layers differ, keeps the keys of
        # checkpoints the same.
        self.vgg_style = None
        if self.layer_weights_style != self.layer_weights:
            self.vgg_style = PerceptualVGG(
                list(self.layer_weights_style), vgg_type, use_input_norm, pretrained
            )

    def forward(self, x: Tensor, gt: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Perceptual and style loss of pictures (N, 3, H, W), each ``None`` where its
        weight is 0.
        """
        if self.norm_img:
            x, gt = (x + 1) / 2, (gt + 1) / 2
        perceptual = style = None
        features = self._features(self.vgg, x, gt)
        if self.perceptual_weight > 0:
            perceptual = self.perceptual_weight * self._distance(features, self.layer_weights)
        if self.style_weight > 0:
            if self.vgg_style is not None:
                features = self._features(self.vgg_style, x, gt)
            grams = {
                name: (_gram(ours), _gram(theirs)) for name, (ours, theirs) in features.items()
            }
            style = self.style_weight * self._distance(grams, self.layer_weights_style)
        return perceptual, style

    @staticmethod
    def _features(vgg: PerceptualVGG, x: Tensor, gt: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        with torch.no_grad():
            theirs = vgg(gt)
        return {name: (ours, theirs[name]) for name, ours in vgg(x).items()}

    def _distance(
        self, pairs: Mapping[str, tuple[Tensor, Tensor]], weights: Mapping[str, float]
    ) -> Tensor:
        losses = []
        for name, weight in weights.items():
            ours, theirs = pairs[name]
            losses.append(weight * self.criterion(ours.float(), theirs.float()))
        return torch.stack(losses).sum()


def _features(vgg_type: str) -> nn.Sequential:
    if not re.fullmatch(r'vgg(11|13|16|19)(_bn)?', vgg_type):
        raise LadaError(
            f'PerceptualLoss: unknown vgg_type {vgg_type!r}; use vgg11, vgg13, vgg16 or vgg19, or'
            ' one of them with _bn'
        )
    return getattr(torchvision.models, vgg_type)(weights=None, init_weights=False).features


def _load(layers: nn.Sequential, vgg_type: str, pretrained: str) -> None:
    if pretrained.startswith(TORCHVISION):
        if pretrained != TORCHVISION + vgg_type:
            raise LadaError(
                f'PerceptualLoss: pretrained={pretrained} are not the weights of {vgg_type}'
            )
        pretrained = torchvision.models.get_model_weights(vgg_type)['DEFAULT'].url
    state = load_state_dict_file(pretrained)
    own = layers.state_dict()
    state = {key: state[f'features.{key}'] for key in own if f'features.{key}' in state}
    wrong = [
        key for key, value in own.items() if key not in state or state[key].shape != value.shape
    ]
    if wrong:
        raise LadaError(
            f'PerceptualLoss: no weights for layer {wrong[0].split(".")[0]} of {vgg_type} in'
            f' {pretrained}; name a torchvision state dict of that network'
        )
    layers.load_state_dict(state)


def _gram(features: Tensor) -> Tensor:
    n, c, h, w = features.shape
    flat = features.float().view(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)
