"""From the loader's batch to what the network takes, and back."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from mmengine.structures import BaseDataElement
from torch import Tensor

from lada.data.data_sample import stack_samples
from lada.errors import LadaError
from lada.registry import MODELS

NON_IMAGE_KEYS = ('noise',)
NON_CONCATENATE_KEYS = ('num_batches', 'mode', 'sample_kwargs', 'eq_cfg')


@MODELS.register_module()
class DataPreprocessor(BaseDataPreprocessor):
    """Stack, pad, order the channels of and normalise a batch; :meth:`destruct` undoes it.

    Args:
        mean: a number or one per channel, in the input's range; None for no normalisation. With 0
            and a ``std`` of 255 uint8 frames end in [0, 1].
        std: likewise, what the difference to ``mean`` is divided by.
        pad_size_divisor: inputs are padded at the bottom and right, before normalisation, to
            multiples of it.
        pad_value: of the padding.
        pad_mode: of the padding, as in ``torch.nn.functional.pad``.
        non_image_keys: entries of dictionary inputs that are no pictures.
        non_concentate_keys: (sic) entries of dictionary inputs that hold one value for the batch.
        output_channel_order: 'RGB' or 'BGR' for the network; frames whose metadata names no order
            count as RGB.
        data_keys: the samples' pictures, normalised like the inputs while training and left in
            their own range otherwise.
        input_view: shape of mean and std for inputs.
        output_view: the same for outputs.
        stack_data_sample: return one sample for the batch instead of a list.
        non_blocking: copy to the device without waiting; for page-locked memory.
    """

    def __init__(
        self,
        mean: Sequence[float] | float | None = 127.5,
        std: Sequence[float] | float | None = 127.5,
        pad_size_divisor: int = 1,
        pad_value: float = 0,
        pad_mode: str = 'constant',
        non_image_keys: str | Sequence[str] | None = None,
        non_concentate_keys: str | Sequence[str] | None = None,
        output_channel_order: str | None = None,
        data_keys: str | Sequence[str] | None = 'gt_img',
        input_view: Sequence[int] | None = None,
        output_view: Sequence[int] | None = None,
        stack_data_sample: bool = True,
        non_blocking: bool = False,
    ):
        super().__init__(non_blocking)
        if (mean is None) != (std is None):
            raise ValueError('DataPreprocessor: give both mean and std, or neither')
        if output_channel_order not in (None, 'RGB', 'BGR'):
            raise ValueError(
                "DataPreprocessor: output_channel_order must be 'RGB', 'BGR' or None, "
                f'not {output_channel_order!r}'
            )
        self.mean: Tensor
        self.std: Tensor
        self.normalizes = mean is not None
        if self.normalizes:
            self.register_buffer(
                'mean', torch.tensor(_sequence(mean), dtype=torch.float32), persistent=False
            )
            self.register_buffer(
                'std', torch.tensor(_sequence(std), dtype=torch.float32), persistent=False
            )
        self.pad_size_divisor, self.pad_value, self.pad_mode = pad_size_divisor, pad_value, pad_mode
        self.non_image_keys = {*NON_IMAGE_KEYS, *_sequence(non_image_keys)}
        self.non_concatenate_keys = {*NON_CONCATENATE_KEYS, *_sequence(non_concentate_keys)}
        self.output_channel_order = output_channel_order
        self.data_keys = _sequence(data_keys)
        self.input_view, self.output_view = input_view, output_view
        self.stack_data_sample = stack_data_sample

    def forward(self, data: dict, training: bool = False) -> dict:
        """Return ``dict(inputs=..., data_samples=...)`` on the model's device.

        ``inputs``: a list of tensors (..., C, H, W) or their stack, a dictionary of such, or a list
        of dictionaries.
        """
        data = cast(dict, self.cast_data(data))
        inputs, samples = data['inputs'], data.get('data_samples')
        samples = list(samples) if samples else None
        if isinstance(inputs, (list, tuple)) and inputs and isinstance(inputs[0], dict):
            inputs = {key: [item[key] for item in inputs] for key in inputs[0]}
        if isinstance(inputs, dict):
            inputs = {key: self._entry(key, value, samples) for key, value in inputs.items()}
        else:
            inputs = self._images(inputs, samples, 'img')
        if samples:
            for sample in samples:
                self._sample(sample, training)
            if self.stack_data_sample:
                samples = stack_samples(samples)
        return {**data, 'inputs': inputs, 'data_samples': samples}

    def destruct(
        self,
        outputs: Tensor,
        data_samples: BaseDataElement | Sequence[BaseDataElement] | None = None,
        key: str = 'img',
    ) -> Tensor:
        """Return a batch of network outputs in [0, 255], in the loaded frames' channel order,
        without padding.
        """
        outputs = outputs if outputs.dtype == torch.float64 else outputs.float()
        if self.normalizes:
            view = self.output_view or _view(outputs)
            outputs = outputs * self.std.view(view) + self.mean.view(view)
        if (
            self.output_channel_order
            and self._order(data_samples, key) != self.output_channel_order
        ):
            outputs = _swap(outputs)
        padding = self._meta(data_samples, 'padding_size')
        if padding is not None:
            bottom, right = int(padding[-2]), int(padding[-1])
            outputs = outputs[..., : outputs.shape[-2] - bottom, : outputs.shape[-1] - right]
        return outputs.clamp(0, 255)

    def _entry(self, key: str, value, samples: list | None):
        if key in self.non_concatenate_keys:
            return value[0] if isinstance(value, list) else value
        if key in self.non_image_keys:
            return torch.stack(value) if isinstance(value, list) else value
        is_image = torch.is_tensor(value) or (
            isinstance(value, list) and all(torch.is_tensor(v) for v in value)
        )
        return self._images(value, samples, key) if is_image else value

    def _images(self, images: Tensor | Sequence[Tensor], samples: list | None, key: str) -> Tensor:
        images = list(images)
        if not images or not all(torch.is_tensor(image) for image in images):
            raise LadaError(
                f'wrong batch: {key} must be tensors (..., C, H, W), one per sample; check the'
                ' pipeline'
            )
        shapes = sorted({tuple(image.shape) for image in images})
        if (
            len({len(shape) for shape in shapes}) > 1
            or len(shapes[0]) not in (3, 4)
            or len({shape[:-2] for shape in shapes}) > 1
        ):
            raise LadaError(
                f'cannot batch {key} of shapes {shapes}; each must be (T, C, H, W) or (C, H, W) '
                'with the same number of frames and channels'
            )
        divisor = self.pad_size_divisor
        height = -(-max(shape[-2] for shape in shapes) // divisor) * divisor
        width = -(-max(shape[-1] for shape in shapes) // divisor) * divisor
        padded = []
        for index, image in enumerate(images):
            bottom, right = height - image.shape[-2], width - image.shape[-1]
            if bottom or right:
                value = self.pad_value if self.pad_mode == 'constant' else None
                image = F.pad(image.float(), (0, right, 0, bottom), self.pad_mode, value)
            padded.append(image)
            if samples:
                samples[index].set_metainfo({'padding_size': (0, bottom, right)})
        batch = torch.stack(padded)
        if self.output_channel_order and self._order(samples, key) != self.output_channel_order:
            batch = _swap(batch)
        return self._normalize(batch)

    def _sample(self, sample: BaseDataElement, training: bool) -> None:
        if not training:
            return
        for key in self.data_keys:
            if key not in sample:
                raise LadaError(
                    f'no {key} in a training sample that holds {sorted(sample.keys())}; '
                    'check the pipeline or data_keys'
                )
            picture = sample.get(key)
            if self.output_channel_order and self._order(sample, key) != self.output_channel_order:
                picture = _swap(picture)
            sample.set_field(self._normalize(picture), key)

    def _normalize(self, image: Tensor) -> Tensor:
        image = image if image.dtype == torch.float64 else image.float()
        if not self.normalizes:
            return image
        view = self.input_view or _view(image)
        return (image - self.mean.view(view)) / self.std.view(view)

    def _order(self, samples, key: str) -> str:
        order = self._meta(samples, f'{"gt" if key == "gt_img" else key}_channel_order')
        return (order or 'RGB').upper()

    @staticmethod
    def _meta(samples, key: str):
        """The metadata of the first sample, whether ``samples`` is a list, a stack, one sample or
        None.
        """
        if samples is None:
            return None
        if isinstance(samples, (list, tuple)):
            return samples[0].metainfo.get(key)
        value = samples.metainfo.get(key)
        return value[0] if isinstance(value, list) else value


@MODELS.register_module()
class EditDataPreprocessor(DataPreprocessor):
    """:class:`DataPreprocessor` under the name and arguments of MMEditing 1.0 configs.

    Args:
        mean: as there.
        std: as there.
        pad_size_divisor: as there.
        input_view: as there.
        output_view: as there.
        pad_args: padding ``mode`` and ``value``.
        only_norm_gt_in_training: leave the samples' pictures as they are outside training, as
            :class:`DataPreprocessor` does; False normalises them always.
    """

    def __init__(
        self,
        mean: Sequence[float] | float | None = (0, 0, 0),
        std: Sequence[float] | float | None = (255, 255, 255),
        pad_size_divisor: int = 1,
        input_view: Sequence[int] | None = None,
        output_view: Sequence[int] | None = None,
        pad_args: dict | None = None,
        only_norm_gt_in_training: bool = True,
        **kwargs,
    ):
        for name, value in (pad_args or {}).items():
            kwargs.setdefault(f'pad_{name}', value)
        super().__init__(
            mean, std, pad_size_divisor, input_view=input_view, output_view=output_view, **kwargs
        )
        self.only_norm_gt_in_training = only_norm_gt_in_training

    def _sample(self, sample: BaseDataElement, training: bool) -> None:
        super()._sample(sample, training or not self.only_norm_gt_in_training)


def _sequence(value) -> list:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _view(image: Tensor) -> list[int]:
    return [1] * (image.dim() - 3) + [-1, 1, 1]


def _swap(image: Tensor) -> Tensor:
    """Exchange red and blue of (..., C, H, W); one channel stays as it is."""
    channels = image.shape[-3]
    if channels == 1:
        return image
    return image.index_select(
        -3 + image.dim(), torch.tensor([2, 1, 0, *range(3, channels)], device=image.device)
    )
