import pytest
import torch

from lada.models import BasicVSRPlusPlusNet


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore:Dynamo detected a call to a `functools.lru_cache`')
def test_the_generator_is_one_graph_with_the_same_values_and_gradients():
    """What Inductor makes of the graph needs a C++ compiler; this is all before it."""
    torch.manual_seed(0)
    net = BasicVSRPlusPlusNet(
        8, 1, head_channels=8, deform_groups=4, is_low_res_input=False, backend='plain'
    )
    for parameter in net.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.01)
    clip = torch.rand(1, 3, 3, 256, 256)
    results = []
    for forward in (net.forward, torch.compile(net.forward, backend='aot_eager', fullgraph=True)):
        net.zero_grad()
        out = forward(clip)
        out.square().sum().backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in net.parameters()])
        with torch.no_grad():
            alone = forward(clip)
        results.append((out.detach(), alone, gradients))
    for plain, compiled in zip(*results, strict=True):
        assert (plain - compiled).norm() / plain.norm() < 1e-4
