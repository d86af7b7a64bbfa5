"""BasicVSR++ (Chan et al. 2022, "BasicVSR++: Improving Video Super-Resolution with Enhanced
Propagation and Alignment").
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
from lada.models.basicvsrpp.checkpointing import check_segment, choose_segment, maybe_checkpoint
from lada.models.basicvsrpp.flow_warp import sampling_grid, warp_groups, warp_with_grid
from lada.models.basicvsrpp.initialization import LEAKY_SLOPE, init_convs_, zero_
from lada.models.basicvsrpp.inputs import check_clip
from lada.models.basicvsrpp.residual import ResidualBlocksWithInputConv
from lada.models.basicvsrpp.spynet import SPyNet
from lada.models.basicvsrpp.upsample import PixelShufflePack
from lada.models.cpu.conv_chain import ConvChain, Link
from lada.models.cpu.layout import channels_last, join_channels, join_frames, split_frames
from lada.models.cpu.row_sampling import padded
from lada.registry import MODELS

# Without a graph, so many pixels of frame pairs go through the flow network at once.
FLOW_PIXELS = 2**20
BRANCHES = ('backward_1', 'forward_1', 'backward_2', 'forward_2')


@MODELS.register_module()
class BasicVSRPlusPlusNet(BaseModule):
    """BasicVSR++ with x4 output (``is_low_res_input=True``) or output of the input's size.

    ``spynet_pretrained``: weights of the flow network, path or address. ``cpu_cache_length``: clips
    longer than this keep their features in main memory when they run on a GPU.
    ``checkpoint_segment``: frames after which the recurrence keeps its state while training,
    computing what lies between again in the backward pass: less memory, more time, the same
    gradients; ``'auto'`` decides by clip length and free memory; ``None`` keeps everything.
    ``deform_conv``: the implementation of the deformable convolution, one of
    :data:`lada.models.basicvsrpp.deform_conv.IMPLEMENTATIONS`; ``None``: by device. Without weights
    the network starts from :mod:`lada.models.basicvsrpp.initialization`.
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
    ):
        super().__init__()
        self.mid_channels = mid_channels
        self.is_low_res_input = is_low_res_input
        self.cpu_cache_length = cpu_cache_length
        self.checkpoint_segment = check_segment(checkpoint_segment)
        self.is_mirror_extended = False
        self.spynet = SPyNet(pretrained=spynet_pretrained)
        if is_low_res_input:
            self.feat_extract = ResidualBlocksWithInputConv(3, mid_channels, 5)
        else:
            self.feat_extract = nn.Sequential(
                nn.Conv2d(3, mid_channels, 3, 2, 1),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
                nn.Conv2d(mid_channels, mid_channels, 3, 2, 1),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
                ResidualBlocksWithInputConv(mid_channels, mid_channels, 5),
            )
            init_convs_([self.feat_extract[0], self.feat_extract[2]])
        self.deform_align = nn.ModuleDict()
        self.backbone = nn.ModuleDict()
        for i, branch in enumerate(BRANCHES):
            self.deform_align[branch] = SecondOrderDeformableAlignment(
                2 * mid_channels,
                mid_channels,
                3,
                padding=1,
                deform_groups=16,
                max_residue_magnitude=max_residue_magnitude,
                implementation=deform_conv,
            )
            self.backbone[branch] = ResidualBlocksWithInputConv(
                (2 + i) * mid_channels, mid_channels, num_blocks
            )
        self.reconstruction = ResidualBlocksWithInputConv(5 * mid_channels, mid_channels, 5)
        self.upsample1 = PixelShufflePack(mid_channels, mid_channels, 2, upsample_kernel=3)
        self.upsample2 = PixelShufflePack(mid_channels, 64, 2, upsample_kernel=3)
        self.conv_hr = nn.Conv2d(64, 64, 3, 1, 1)
        self.conv_last = nn.Conv2d(64, 3, 3, 1, 1)
        init_convs_([self.conv_hr])
        zero_(self.conv_last)

    def forward(self, lqs: Tensor) -> Tensor:
        """Restore clips (N, T, 3, H, W) in [0, 1]; returns (N, T, 3, 4H, 4W), or (N, T, 3, H, W) in
        the same-size mode.

        Raises :class:`lada.errors.LadaError` for inputs described in
        :func:`lada.models.basicvsrpp.inputs.check_clip`.
        """
        check_clip(lqs, downsampled=not self.is_low_res_input, device=self.conv_last.weight.device)
        caching = self.caches_on_cpu(lqs)
        segment = choose_segment(
            self.checkpoint_segment, lqs.shape[1], self._frame_bytes(lqs), lqs.device
        )
        self.check_if_mirror_extended(lqs)
        feats = {'spatial': _Frames(self._extract(lqs, caching), caching)}
        flows_forward, flows_backward = self.compute_flow(self._flow_input(lqs))
        motion = {
            'backward': Motion.of(flows_backward.transpose(0, 1).flip(0)),
            'forward': Motion.of(flows_forward.transpose(0, 1)),
        }
        for branch in BRANCHES:
            frames = self._propagate(feats, motion[branch.split('_')[0]], branch, caching, segment)
            feats[branch] = _Frames(frames, caching)
        return self._upsample(lqs, feats, caching, segment)

    def caches_on_cpu(self, lqs: Tensor) -> bool:
        """Whether the features of these clips are kept in main memory."""
        return lqs.shape[1] > self.cpu_cache_length and lqs.is_cuda

    def check_if_mirror_extended(self, lqs: Tensor) -> None:
        """Remember whether the second half of the clip is its first half backwards."""
        self.is_mirror_extended = False
        if lqs.shape[1] % 2 == 0:
            first, second = lqs.chunk(2, dim=1)
            self.is_mirror_extended = torch.equal(first, second.flip(1))

    def compute_flow(self, lqs: Tensor) -> tuple[Tensor, Tensor]:
        """Flows (N, T-1, 2, h, w) from each frame to the previous one, and from each frame to the
        next one.
        """
        n, t, c, h, w = lqs.shape
        here, there = lqs[:, :-1].reshape(-1, c, h, w), lqs[:, 1:].reshape(-1, c, h, w)
        if self.is_mirror_extended:
            backward = self._flow(here, there).view(n, t - 1, 2, h, w)
            return backward.flip(1), backward
        both = self._flow(torch.cat([there, here]), torch.cat([here, there])).view(
            2, n, t - 1, 2, h, w
        )
        return both[0], both[1]

    def _flow(self, ref: Tensor, supp: Tensor) -> Tensor:
        """Flow of all pairs at once; without a graph while the flow network is frozen, and then in
        parts.
        """
        trains = torch.is_grad_enabled() and (
            ref.requires_grad
            or any(parameter.requires_grad for parameter in self.spynet.parameters())
        )
        if trains or len(ref) == 0:
            return self.spynet(ref, supp) if len(ref) else ref[:, :2]
        pairs = max(1, FLOW_PIXELS // (ref.shape[2] * ref.shape[3]))
        with torch.no_grad():
            return torch.cat(
                [
                    self.spynet(*pair)
                    for pair in zip(ref.split(pairs), supp.split(pairs), strict=True)
                ]
            )

    def _flow_input(self, lqs: Tensor) -> Tensor:
        if self.is_low_res_input:
            return lqs
        n, t, c, h, w = lqs.shape
        return F.interpolate(lqs.reshape(-1, c, h, w), scale_factor=0.25, mode='bicubic').view(
            n, t, c, h // 4, w // 4
        )

    def _extract(self, lqs: Tensor, caching: bool) -> list[Tensor]:
        """Features of each frame, T × (N, C, h, w)."""
        if caching:
            return [self.feat_extract(channels_last(frame)).cpu() for frame in lqs.unbind(1)]
        frames = lqs.transpose(0, 1).flatten(0, 1)
        return split_frames(channels_last(self.feat_extract(channels_last(frames))), lqs.shape[1])

    def _propagate(
        self,
        feats: dict[str, '_Frames'],
        motion: 'Motion',
        branch: str,
        caching: bool,
        segment: int | None,
    ) -> list[Tensor]:
        """Carry features from frame to frame in the branch's direction; T × (N, C, h, w) in the
        order of time.

        Convolutions are linear, so that what their inputs' parts contribute is added up: the parts
        known before the recursion starts are convolved for all frames at once, and nothing is
        concatenated.
        """
        t = len(feats['spatial'].frames)
        order = range(t)[::-1] if branch.startswith('backward') else range(t)
        align, backbone = self.deform_align[branch], self.backbone[branch]
        device = align.weight.device

        *known_weights, prop_weight = backbone.main[0].weight.split(self.mid_channels, 1)
        known = _KnownPart(
            list(feats.values()), _SplitConv(known_weights, backbone.main[0].bias), device
        )
        first = align.conv_offset[0]
        warped_1, current, warped_2, flow_weight = first.weight.split(
            [self.mid_channels] * 3 + [4], 1
        )
        current_part = _KnownPart([feats['spatial']], _SplitConv([current], first.bias), device)
        flow_part = (
            split_frames(F.conv2d(motion.both, flow_weight, padding=1), t - 1) if t > 1 else []
        )
        # After one frame there is nothing of second order yet: half of the alignment's work falls
        # away.
        first_offsets = ConvChain(
            [Link(warped_1, None, LEAKY_SLOPE), *align.offset_links(share=0.5)]
        )
        offsets = ConvChain(
            [Link(torch.cat([warped_1, warped_2], 1), None, LEAKY_SLOPE), *align.offset_links()]
        )
        merge, blocks = ConvChain([Link(prop_weight, None, LEAKY_SLOPE)]), backbone.main[2].chain()

        def visit(
            i: int, step: int, prop: Tensor | None, before: Tensor | None
        ) -> tuple[Tensor, Tensor | None]:
            """Features of the frame ``i`` from those of the last one, ``prop``, and the last but
            one, ``before``.
            """
            if prop is None:
                return blocks(F.leaky_relu_(known[i].clone(), LEAKY_SLOPE)), None
            past = prop if before is None else join_channels([prop, before])
            flows = motion.flows[step - 1][..., : 1 if before is None else 2]
            table = padded(past.detach(), flows.dtype) if past.device.type == 'cpu' else None
            chain = first_offsets if before is None else offsets
            raw = chain(warp_groups(past, flows, table), current_part[i] + flow_part[step - 1])
            aligned = align.align(past, raw, flows, table)
            return aligned + blocks(merge(aligned, known[i])), prop

        def visit_all(
            steps: range, prop: Tensor | None, before: Tensor | None
        ) -> tuple[list[Tensor], Tensor | None]:
            visited = []
            for step in steps:
                prop, before = visit(order[step], step, prop, before)
                visited.append(prop.cpu() if caching else prop)
            return visited, before

        visited, before = [], None
        length = segment or t
        for start in range(0, t, length):
            prop = visited[-1].to(device) if visited else None
            steps = range(start, min(start + length, t))
            more, before = maybe_checkpoint(segment is not None, visit_all, steps, prop, before)
            visited += more
        return visited[::-1] if branch.startswith('backward') else visited

    def _upsample(
        self, lqs: Tensor, feats: dict[str, '_Frames'], caching: bool, segment: int | None
    ) -> Tensor:
        conv, _, blocks = self.reconstruction.main
        merge, blocks = (
            _SplitConv(conv.weight.split(self.mid_channels, 1), conv.bias),
            blocks.chain(),
        )
        head = ConvChain(
            [
                self.upsample1.link(LEAKY_SLOPE),
                self.upsample2.link(LEAKY_SLOPE),
                Link(self.conv_hr.weight, self.conv_hr.bias, LEAKY_SLOPE),
                Link(self.conv_last.weight, self.conv_last.bias),
            ]
        )

        def restore(frame: Tensor, *parts: Tensor) -> Tensor:
            hr = head(blocks(F.leaky_relu_(merge(parts), LEAKY_SLOPE)))
            if self.is_low_res_input:
                frame = F.interpolate(frame, scale_factor=4, mode='bilinear', align_corners=False)
            return frame + hr

        outputs = []
        for i, frame in enumerate(lqs.unbind(1)):
            parts = [feat.frames[i].to(frame.device) for feat in feats.values()]
            hr = maybe_checkpoint(segment is not None, restore, frame, *parts)
            outputs.append(hr.cpu() if caching else hr)
        return torch.stack(outputs, 1)

    def _frame_bytes(self, lqs: Tensor) -> float:
        """About how much memory the activations of one frame take until the backward pass."""
        n, _, _, h, w = lqs.shape
        low = n * h * w / (1 if self.is_low_res_input else 16)
        blocks = sum(len(backbone.main[2]) for backbone in self.backbone.values())
        # Two activations for each residual block; samples, offsets, masks and what they come from;
        # the upsampling's large pictures.
        values = low * (
            self.mid_channels * (2 * blocks + 60)
            + 4 * 1900
            + 16 * 64 * 3
            + 4 * self.mid_channels * 2
        )
        return values * (2 if torch.is_autocast_enabled(lqs.device.type) else 4)


@dataclass
class Motion:
    """The flows of one direction, in the order in which its branches visit the frames.

    ``flows``: T-1 pairs of flows (N, h, w, 2, 2), horizontal and vertical to the last and the last
    but one visited frame (zero where there is none). ``both``: all of them, ((T-1)·N, 4, h, w), the
    first flow, then the second.
    """

    flows: tuple[Tensor, ...]
    both: Tensor

    @classmethod
    def of(cls, flows: Tensor) -> 'Motion':
        """``flows``: (T-1, N, 2, h, w)."""
        steps, n, _, h, w = flows.shape
        second = torch.zeros_like(flows)
        if steps > 1:
            grid = sampling_grid(flows[1:].flatten(0, 1).permute(0, 2, 3, 1))
            further = warp_with_grid(flows[:-1].flatten(0, 1), grid).view_as(flows[1:])
            second = torch.cat([second[:1], flows[1:] + further])
        both = torch.stack([flows, second], 2)
        pairs = both.permute(0, 1, 4, 5, 3, 2).contiguous()
        return cls(pairs.unbind(0), channels_last(both.view(steps * n, 4, h, w)))


class _Frames:
    """Features of all frames: T × (N, C, h, w), and joined to (T·N, C, h, w) unless they are cached
    elsewhere.
    """

    def __init__(self, frames: list[Tensor], caching: bool):
        self.joined = None if caching else join_frames(frames)
        self.frames = frames


class _KnownPart:
    """What known features contribute to a convolution, by frame: for all frames at once, or on
    demand when caching.
    """

    def __init__(self, feats: Sequence[_Frames], conv: '_SplitConv', device: torch.device):
        self.feats, self.conv, self.device = feats, conv, device
        self.parts = None
        if feats[0].joined is not None:
            self.parts = split_frames(conv([feat.joined for feat in feats]), len(feats[0].frames))

    def __getitem__(self, i: int) -> Tensor:
        if self.parts is not None:
            return self.parts[i]
        return self.conv([feat.frames[i].to(self.device) for feat in self.feats])


class _SplitConv:
    """The 3×3 convolution of concatenated inputs, computed part by part; for many calls with the
    same weights.
    """

    def __init__(self, weights: Sequence[Tensor], bias: Tensor):
        first, *more = weights
        self.convs = [
            ConvChain([Link(first, bias)]),
            *(ConvChain([Link(weight, None)]) for weight in more),
        ]

    def __call__(self, parts: Sequence[Tensor]) -> Tensor:
        out = None
        for part, conv in zip(parts, self.convs, strict=True):
            out = conv(part, out)
        return out
