"""BasicVSR++ (Chan et al. 2022, "BasicVSR++: Improving Video Super-Resolution with Enhanced Propagation and
Alignment")."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from lada.models.alignment import SecondOrderDeformableAlignment
from lada.models.flow_warp import flow_warp
from lada.models.initialization import LEAKY_SLOPE, init_convs_, zero_
from lada.models.inputs import check_clip
from lada.models.residual import ResidualBlocksWithInputConv
from lada.models.spynet import SPyNet
from lada.models.upsample import PixelShufflePack
from lada.registry import MODELS

BRANCHES = ('backward_1', 'forward_1', 'backward_2', 'forward_2')


@MODELS.register_module()
class BasicVSRPlusPlusNet(BaseModule):
    """BasicVSR++ with x4 output (``is_low_res_input=True``) or output of the input's size.

    ``spynet_pretrained``: weights of the flow network, path or address. ``cpu_cache_length``: clips longer than this
    keep their features in main memory when they run on a GPU. Without weights the network starts from
    :mod:`lada.models.initialization`.
    """

    def __init__(self, mid_channels: int = 64, num_blocks: int = 7, max_residue_magnitude: float = 10,
                 is_low_res_input: bool = True, spynet_pretrained: str | None = None, cpu_cache_length: int = 100):
        super().__init__()
        self.mid_channels = mid_channels
        self.is_low_res_input = is_low_res_input
        self.cpu_cache_length = cpu_cache_length
        self.is_mirror_extended = False
        self.spynet = SPyNet(pretrained=spynet_pretrained)
        if is_low_res_input:
            self.feat_extract = ResidualBlocksWithInputConv(3, mid_channels, 5)
        else:
            self.feat_extract = nn.Sequential(
                nn.Conv2d(3, mid_channels, 3, 2, 1), nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
                nn.Conv2d(mid_channels, mid_channels, 3, 2, 1), nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
                ResidualBlocksWithInputConv(mid_channels, mid_channels, 5))
            init_convs_([self.feat_extract[0], self.feat_extract[2]])
        self.deform_align = nn.ModuleDict()
        self.backbone = nn.ModuleDict()
        for i, branch in enumerate(BRANCHES):
            self.deform_align[branch] = SecondOrderDeformableAlignment(
                2 * mid_channels, mid_channels, 3, padding=1, deform_groups=16,
                max_residue_magnitude=max_residue_magnitude)
            self.backbone[branch] = ResidualBlocksWithInputConv((2 + i) * mid_channels, mid_channels, num_blocks)
        self.reconstruction = ResidualBlocksWithInputConv(5 * mid_channels, mid_channels, 5)
        self.upsample1 = PixelShufflePack(mid_channels, mid_channels, 2, upsample_kernel=3)
        self.upsample2 = PixelShufflePack(mid_channels, 64, 2, upsample_kernel=3)
        self.conv_hr = nn.Conv2d(64, 64, 3, 1, 1)
        self.conv_last = nn.Conv2d(64, 3, 3, 1, 1)
        init_convs_([self.conv_hr])
        zero_(self.conv_last)

    def forward(self, lqs: Tensor) -> Tensor:
        """Restore clips (N, T, 3, H, W) in [0, 1]; returns (N, T, 3, 4H, 4W), or (N, T, 3, H, W) in the same-size mode.

        Raises :class:`lada.errors.LadaError` for inputs described in :func:`lada.models.inputs.check_clip`.
        """
        check_clip(lqs, downsampled=not self.is_low_res_input, device=self.conv_last.weight.device)
        caching = lqs.shape[1] > self.cpu_cache_length and lqs.is_cuda
        self.check_if_mirror_extended(lqs)
        frames = lqs.transpose(0, 1)
        spatial = self._extract(frames, caching)
        flows_forward, flows_backward = self.compute_flow(self._flow_input(lqs))
        feats = {'spatial': spatial}
        for branch in BRANCHES:
            flows = flows_backward if branch.startswith('backward') else flows_forward
            feats[branch] = self._propagate(feats, flows, branch, caching)
        return self._upsample(lqs, feats, caching)

    def check_if_mirror_extended(self, lqs: Tensor) -> None:
        """Remember whether the second half of the clip is its first half backwards."""
        self.is_mirror_extended = False
        if lqs.shape[1] % 2 == 0:
            first, second = lqs.chunk(2, dim=1)
            self.is_mirror_extended = torch.equal(first, second.flip(1))

    def compute_flow(self, lqs: Tensor) -> tuple[Tensor, Tensor]:
        """Flows (N, T-1, 2, h, w) from each frame to the previous one, and from each frame to the next one."""
        n, t, c, h, w = lqs.shape
        here, there = lqs[:, :-1].reshape(-1, c, h, w), lqs[:, 1:].reshape(-1, c, h, w)
        if self.is_mirror_extended:
            backward = self.spynet(here, there).view(n, t - 1, 2, h, w)
            return backward.flip(1), backward
        both = self.spynet(torch.cat([there, here]), torch.cat([here, there])).view(2, n, t - 1, 2, h, w)
        return both[0], both[1]

    def _flow_input(self, lqs: Tensor) -> Tensor:
        if self.is_low_res_input:
            return lqs
        n, t, c, h, w = lqs.shape
        return F.interpolate(lqs.reshape(-1, c, h, w), scale_factor=0.25, mode='bicubic').view(n, t, c, h // 4, w // 4)

    def _extract(self, frames: Tensor, caching: bool) -> list[Tensor]:
        if caching:
            return [self.feat_extract(frame).cpu() for frame in frames]
        feats = self.feat_extract(frames.flatten(0, 1))
        return list(feats.view(*frames.shape[:2], *feats.shape[1:]).unbind(0))

    def _propagate(self, feats: dict[str, list[Tensor]], flows: Tensor, branch: str, caching: bool) -> list[Tensor]:
        t = len(feats['spatial'])
        device = self.conv_last.weight.device
        order = list(range(t))
        if branch.startswith('backward'):
            order.reverse()
        align, backbone = self.deform_align[branch], self.backbone[branch]
        out: list[Tensor] = [None] * t
        prop = torch.zeros_like(feats['spatial'][0], device=device)
        before = torch.zeros_like(prop)
        flow_before = None
        for step, i in enumerate(order):
            current = feats['spatial'][i].to(device)
            if step > 0:
                flow_1 = flows[:, i if branch.startswith('backward') else i - 1]
                cond_1 = flow_warp(prop, flow_1.permute(0, 2, 3, 1))
                if step > 1:
                    grid = flow_1.permute(0, 2, 3, 1)
                    flow_2 = flow_1 + flow_warp(flow_before, grid)
                    cond_2 = flow_warp(before, flow_2.permute(0, 2, 3, 1))
                else:
                    flow_2 = torch.zeros_like(flow_1)
                    cond_2 = torch.zeros_like(cond_1)
                previous = prop
                prop = align(torch.cat([prop, before], 1), torch.cat([cond_1, current, cond_2], 1), flow_1, flow_2)
                before, flow_before = previous, flow_1
            inputs = [feats[name][i].to(device) for name in feats] + [prop]
            prop = prop + backbone(torch.cat(inputs, 1))
            out[i] = prop.cpu() if caching else prop
        return out

    def _upsample(self, lqs: Tensor, feats: dict[str, list[Tensor]], caching: bool) -> Tensor:
        outputs = []
        for i in range(lqs.shape[1]):
            hr = self.reconstruction(torch.cat([feats[name][i].to(lqs.device) for name in feats], 1))
            hr = F.leaky_relu_(self.upsample1(hr), LEAKY_SLOPE)
            hr = F.leaky_relu_(self.upsample2(hr), LEAKY_SLOPE)
            hr = self.conv_last(F.leaky_relu_(self.conv_hr(hr), LEAKY_SLOPE))
            frame = lqs[:, i]
            if self.is_low_res_input:
                frame = F.interpolate(frame, scale_factor=4, mode='bilinear', align_corners=False)
            hr = hr + frame
            outputs.append(hr.cpu() if caching else hr)
        return torch.stack(outputs, 1)
