import pytest
import torch

from lada.errors import LadaError
from lada.models import SPyNet


@pytest.fixture(scope='module')
def trained(golden):
    net = SPyNet(None)
    golden.set_weights(net)
    return net


def published(net):
    """Weights as they are published: without the buffers."""
    return {key: value for key, value in net.state_dict().items() if key not in ('mean', 'std')}


@pytest.mark.parametrize(
    'wrap', [lambda state: state, lambda state: dict(state_dict=state, meta=dict(epoch=1))]
)
def test_loads_plain_and_wrapped_weights(tmp_path, trained, wrap):
    path = tmp_path / 'spynet.pth'
    torch.save(wrap(published(trained)), path)
    loaded = SPyNet(pretrained=str(path))
    assert all(
        torch.equal(a, b) for a, b in zip(loaded.parameters(), trained.parameters(), strict=True)
    )


def test_state_dict_keys_are_the_published_ones():
    keys = set(SPyNet(None).state_dict())
    layers = {
        f'basic_module.{i}.basic_module.{j}.conv.{kind}'
        for i in range(6)
        for j in range(5)
        for kind in ('weight', 'bias')
    }
    assert keys == layers | {'mean', 'std'}


def test_missing_and_foreign_weights(tmp_path):
    with pytest.raises(LadaError, match=r'not found.*nowhere\.pth'):
        SPyNet(pretrained=str(tmp_path / 'nowhere.pth'))
    torch.save(torch.nn.Conv2d(3, 3, 3).state_dict(), tmp_path / 'conv.pth')
    with pytest.raises(LadaError, match='does not fit SPyNet'):
        SPyNet(pretrained=str(tmp_path / 'conv.pth'))
    with pytest.raises(TypeError, match='path'):
        SPyNet(pretrained=3)


def test_untrained_flow_is_zero():
    with torch.no_grad():
        flow = SPyNet(None)(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))
    assert torch.equal(flow, torch.zeros(1, 2, 64, 64))


def test_pairs_in_a_batch_do_not_meet(trained):
    ref, supp = torch.rand(3, 3, 64, 64), torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        together = trained(ref, supp)
        alone = torch.cat([trained(ref[i : i + 1], supp[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_other_sizes_and_autocast_give_float32_flow_of_that_size(trained):
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        flow = trained(torch.rand(1, 3, 66, 70), torch.rand(1, 3, 66, 70))
    assert flow.shape == (1, 2, 66, 70) and flow.dtype == torch.float32
