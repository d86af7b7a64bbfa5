import pytest
import torch

from lada.models.basicvsrpp.alignment import SecondOrderDeformableAlignment
from lada.models.cpu.conv_chain import ConvChain


@pytest.mark.parametrize('implementation', ['sampling', 'torchvision'])
@pytest.mark.parametrize('graph', [True, False])
def test_half_of_the_work_where_there_is_no_second_order(implementation, graph):
    torch.manual_seed(0)
    align = SecondOrderDeformableAlignment(
        16, 8, padding=1, deform_groups=4, implementation=implementation
    )
    torch.nn.init.normal_(align.conv_offset[-1].weight, std=0.1)
    x, guide, flow = torch.randn(2, 8, 9, 7), torch.randn(2, 8, 9, 7), torch.randn(2, 9, 7, 2, 1)
    results = []
    with torch.set_grad_enabled(graph):
        for share, features, flows in (
            (1, torch.cat([x, torch.zeros_like(x)], 1), flow.expand(-1, -1, -1, -1, 2)),
            (0.5, x, flow),
        ):
            raw = ConvChain(align.offset_links(share))(guide)
            out = align.align(features, raw, flows)
            results.append([out])
            if graph:
                out.square().sum().backward()
                results[-1] += [
                    parameter.grad for parameter in align.parameters() if parameter.grad is not None
                ]
                align.zero_grad()
    for whole, half in zip(*results, strict=True):
        torch.testing.assert_close(half, whole, atol=1e-5, rtol=1e-5)
