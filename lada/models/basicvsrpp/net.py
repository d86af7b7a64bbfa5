"""BasicVSR++ (Chan et al. 2022, "BasicVSR++: Improving Video Super-Resolution with Enhanced
Propagation and Alignment").
"""

from functools import partial

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import interpolate

from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
from lada.models.basicvsrpp.backend import check_backend, choose_backend
from lada.models.basicvsrpp.features import feature_extraction
from lada.models.basicvsrpp.flow_warp import flow_warp
from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, init_convs_, zero_
from lada.models.basicvsrpp.inputs import activation_bytes, check_clip, is_mirrored, quarter_size
from lada.models.basicvsrpp.residual import ResidualBlocksWithInputConv
from lada.models.basicvsrpp.spynet import SPyNet
from lada.models.basicvsrpp.upsample import PixelShufflePack
from lada.models.cpu.propagation import forward as forward_on_cpu
from lada.models.recurrence import check_segment, choose_segment, maybe_checkpoint, recur
from lada.registry import MODELS

BRANCHES = ('backward_1', 'forward_1', 'backward_2', 'forward_2')


@MODELS.register_module()
class BasicVSRPlusPlusNet(BaseModule):
    """BasicVSR++ with x4 output or output of the input's size.

    Args:
        mid_channels: channels of the features.
        num_blocks: residual blocks of each propagation branch.
        max_residue_magnitude: pixels by which a learned offset may differ from the flow.
        is_low_res_input: the output is four times as large as the input; False: of its size.
        spynet_pretrained: weights of the flow network, path or address.
        cpu_cache_length: longer clips keep their features in main memory.
        checkpoint_segment: frames after which training keeps the state of the recurrence, computing
            what lies between again: less memory, same gradients. ``'auto'``: if memory is short.
        deform_conv: operator of :mod:`lada.models.basicvsrpp.deform_conv`; None: by device.
        backend: ``'plain'``, this file, or ``'cpu'``, :mod:`lada.models.cpu`; None: by device.
        in_channels: of what features are extracted from, see :meth:`forward`.
        head_channels: channels of the last layers, which work at the output's size.
        deform_groups: groups of channels that are aligned alike.
    """

    def __init__(
        self,
        mid_channels: int = 64,
        num_blocks: int = 7,
        max_residue_magnitude: float = 10,
        is_low_res_input: bool = True,
        spynet_pretrained: str | None = None,
        cpu_cache_length: int = 100,
        checkpoint_segment: int | str | None = None,
        deform_conv: str | None = None,
        backend: str | None = None,
        in_channels: int = 3,
        head_channels: int = 64,
        deform_groups: int = 16,
    ):
        super().__init__()
        self.mid_channels, self.num_blocks = mid_channels, num_blocks
        self.is_mirror_extended = False
        self.is_low_res_input, self.cpu_cache_length = is_low_res_input, cpu_cache_length
        self.checkpoint_segment = check_segment(checkpoint_segment)
        self.deform_conv, self.backend = deform_conv, check_backend(backend)
        c, self.lrelu = mid_channels, nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        self.spynet = SPyNet(pretrained=spynet_pretrained)
        self.feat_extract = feature_extraction(in_channels, c, is_low_res_input)
        align = partial(SecondOrderDeformableAlignment, padding=1, deform_groups=deform_groups)
        self.deform_align, self.backbone = nn.ModuleDict(), nn.ModuleDict()
        for i, branch in enumerate(BRANCHES):
            self.deform_align[branch] = align(
                2 * c, c, 3, max_residue_magnitude=max_residue_magnitude, implementation=deform_conv
            )
            self.backbone[branch] = ResidualBlocksWithInputConv((2 + i) * c, c, num_blocks)
        self.reconstruction = ResidualBlocksWithInputConv(5 * c, c, 5)
        self.upsample1 = PixelShufflePack(c, c, 2, upsample_kernel=3)
        self.upsample2 = PixelShufflePack(c, head_channels, 2, upsample_kernel=3)
        self.conv_hr = nn.Conv2d(head_channels, head_channels, 3, 1, 1)
        self.conv_last = nn.Conv2d(head_channels, 3, 3, 1, 1)
        init_convs_([self.conv_hr])
        zero_(self.conv_last)

    def forward(self, lqs: Tensor, seen: Tensor | None = None) -> Tensor:
        """Restore clips (N, T, 3, H, W) in [0, 1]; returns (N, T, 3, 4H, 4W) or the same shape.
        Features are those of ``seen``, (N, T, in_channels, H, W), or of the clips."""
        check_clip(lqs, downsampled=not self.is_low_res_input, device=self.conv_last.weight.device)
        size, seen = activation_bytes(self, lqs), lqs if seen is None else seen
        segment = choose_segment(self.checkpoint_segment, lqs.shape[1], size, lqs.device)
        small = lqs if self.is_low_res_input else quarter_size(lqs)
        self.is_mirror_extended = is_mirrored(lqs)
        if choose_backend(self.backend, lqs.device, self.deform_conv) == 'cpu':
            return forward_on_cpu(self, lqs, seen, small, segment)
        home = torch.device('cpu') if lqs.shape[1] > self.cpu_cache_length else lqs.device
        spatial = self.feat_extract(seen.flatten(0, 1)).unflatten(0, lqs.shape[:2]).unbind(1)
        feats = {'spatial': [feat.to(home) for feat in spatial]}
        flows_forward, flows_backward = self.compute_flow(small)
        for branch in BRANCHES:
            flows = flows_backward if branch.startswith('backward') else flows_forward
            feats[branch] = self.propagate(feats, flows, branch, segment, home)
        return self.upsample(lqs, feats, segment, home)

    def compute_flow(self, lqs: Tensor) -> tuple[Tensor, Tensor]:
        """Flows (N, T-1, 2, h, w) from each frame to the previous one, and to the next one."""
        pairs = lqs.shape[0], lqs.shape[1] - 1
        here, there = lqs[:, :-1].flatten(0, 1), lqs[:, 1:].flatten(0, 1)
        backward = self.spynet(here, there).unflatten(0, pairs)
        if self.is_mirror_extended:
            return backward.flip(1), backward
        return self.spynet(there, here).unflatten(0, pairs), backward

    def propagate(self, feats, flows, branch, segment=None, home=None) -> list[Tensor]:
        """Carry features from frame to frame: T x (N, C, h, w) in order of time, on ``home``."""
        forward = 1 if branch.startswith('forward') else -1
        device, flows = flows.device, flows.unbind(1)[::forward]
        frames = list(zip(*feats.values(), strict=True))[::forward]

        def visit(step: int, last: Tensor | None, before: Tensor | None) -> Tensor:
            known = [feat.to(device) for feat in frames[step]]
            prop = torch.zeros_like(known[0])
            if last is not None:
                flow_1 = flows[step - 1]
                warped_1 = flow_warp(last, flow_1.permute(0, 2, 3, 1))
                flow_2, warped_2 = torch.zeros_like(flow_1), torch.zeros_like(last)
                if before is not None:
                    flow_2 = flow_1 + flow_warp(flows[step - 2], flow_1.permute(0, 2, 3, 1))
                    warped_2 = flow_warp(before, flow_2.permute(0, 2, 3, 1))
                past = torch.cat([last, warped_2 if before is None else before], dim=1)
                guide = torch.cat([warped_1, known[0], warped_2], dim=1)
                prop = self.deform_align[branch](past, guide, flow_1, flow_2)
            return prop + self.backbone[branch](torch.cat([*known, prop], dim=1))

        return recur(visit, len(frames), segment, home)[::forward]

    def upsample(self, lqs, feats, segment=None, home=None) -> Tensor:
        """Frames (N, T, 3, H, W) from the features of all branches."""

        def restore(frame: Tensor, *parts: Tensor) -> Tensor:
            hr = self.reconstruction(torch.cat([part.to(frame.device) for part in parts], dim=1))
            hr = self.lrelu(self.upsample2(self.lrelu(self.upsample1(hr))))
            hr = self.conv_last(self.lrelu(self.conv_hr(hr)))
            if self.is_low_res_input:
                frame = interpolate(frame, scale_factor=4, mode='bilinear', align_corners=False)
            return (frame + hr).to(home)

        frames = zip(lqs.unbind(1), *feats.values(), strict=True)
        return torch.stack([maybe_checkpoint(segment is not None, restore, *f) for f in frames], 1)
