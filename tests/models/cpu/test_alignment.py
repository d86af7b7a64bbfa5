import pytest
import torch

from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
from lada.models.cpu.alignment import align_features, offset_links
from lada.models.cpu.conv_chain import ConvChain, Link


def alignment() -> SecondOrderDeformableAlignment:
    torch.manual_seed(0)
    align = SecondOrderDeformableAlignment(16, 8, padding=1, deform_groups=4)
    torch.nn.init.normal_(align.conv_offset[-1].weight, std=0.1)
    return align


def on_a_processor(align, x, guide, flows, share):
    """What the layer computes, of one flow for each frame in ``x``."""
    first = align.conv_offset[0]
    raw = ConvChain([Link(first.weight, first.bias, 0.1), *offset_links(align, 0.1, share)])(guide)
    return align_features(align, x, raw, torch.stack(flows, 2).permute(0, 3, 4, 1, 2))


@pytest.mark.parametrize('graph', [True, False])
@pytest.mark.parametrize('second_order', [True, False])
def test_same_as_the_plain_layer(graph, second_order):
    align = alignment()
    x, guide = torch.randn(2, 16, 9, 7), torch.randn(2, 24, 9, 7)
    flows = [torch.randn(2, 2, 9, 7) for _ in range(2)]
    if not second_order:
        # After one frame the second half is zero, and left out on a processor.
        x[:, 8:], flows[1] = 0, torch.zeros(2, 2, 9, 7)
    frames = 2 if second_order else 1
    results = []
    with torch.set_grad_enabled(graph):
        for compute in (
            lambda: align(x, guide, *flows),
            lambda: on_a_processor(
                align,
                x[:, : 8 * frames],
                torch.cat([guide, *flows], 1),
                flows[:frames],
                share=frames / 2,
            ),
        ):
            out = compute()
            results.append([out])
            if graph:
                out.square().sum().backward()
                results[-1] += [parameter.grad for parameter in align.parameters()]
                align.zero_grad()
    for plain, fast in zip(*results, strict=True):
        assert (fast - plain).norm() < 1e-4 * plain.norm()
