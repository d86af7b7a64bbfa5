import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from lada.checkpoints.fitting import load_into
from lada.checkpoints.reading import load_state_dict_file, load_weights_file
from lada.errors import LadaError


@pytest.fixture
def checkpoint(tmp_path):
    history = HistoryBuffer()
    history.update(3.0, 1)
    history.update(np.float64(4), 1)
    path = tmp_path / 'checkpoint.pth'
    torch.save(
        dict(
            state_dict=torch.nn.Linear(2, 3).state_dict(),
            meta=dict(iter=5, time='now'),
            message_hub=dict(
                log_scalars=dict(loss=history),
                runtime_info=dict(i=np.int64(3), f=np.float32(0.5), a=np.arange(3)),
            ),
        ),
        path,
    )
    return path


def test_reads_what_a_training_checkpoint_holds(checkpoint):
    content = load_weights_file(checkpoint)
    assert content['message_hub']['log_scalars']['loss'].mean() == 3.5
    assert content['message_hub']['runtime_info']['i'] == 3
    assert content['meta']['iter'] == 5
    assert set(load_state_dict_file(checkpoint)) == {'weight', 'bias'}


class _Call:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ('value', 'name'),
    [
        (_Call(os.system, 'exit 3'), os.system.__module__ + '.system'),
        (Path('x'), 'pathlib'),
        (_Call(getattr, HistoryBuffer.min, '__globals__'), 'getattr'),
        (_Call(getattr, HistoryBuffer, '__init__'), 'getattr'),
    ],
)
def test_refuses_other_types_by_name(tmp_path, value, name):
    path = tmp_path / 'weights.pth'
    torch.save(dict(state_dict={}, extra=value), path)
    with pytest.raises(LadaError, match=f'refused.*{name}') as error:
        load_weights_file(path)
    assert '\n' not in str(error.value)


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
@pytest.mark.parametrize('kept', [0.0, 0.02, 0.5, 0.95])
def test_damaged_file(checkpoint, kept):
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(LadaError, match=r'damaged weight file.*checkpoint') as error:
        load_weights_file(checkpoint)
    assert '\n' not in str(error.value)


@pytest.mark.filterwarnings('ignore:Detected pickle protocol')
def test_text_instead_of_weights(tmp_path):
    (tmp_path / 'page.pth').write_text('<html>not found</html>')
    with pytest.raises(LadaError, match='damaged weight file'):
        load_weights_file(tmp_path / 'page.pth')


def test_missing_file_and_other_content(tmp_path):
    with pytest.raises(LadaError, match='not found'):
        load_weights_file(tmp_path / 'no.pth')
    torch.save([torch.ones(2)], tmp_path / 'list.pth')
    with pytest.raises(LadaError, match='holds a list'):
        load_weights_file(tmp_path / 'list.pth')
    torch.save(dict(state_dict=dict(a=1)), tmp_path / 'number.pth')
    with pytest.raises(LadaError, match='no state dict'):
        load_state_dict_file(tmp_path / 'number.pth')


def test_load_into_names_what_does_not_fit(checkpoint):
    load_into(torch.nn.Linear(2, 3), checkpoint)
    with pytest.raises(LadaError, match='another architecture'):
        load_into(torch.nn.Linear(3, 3), checkpoint)
    with pytest.raises(LadaError, match='not in this model: bias'):
        load_into(torch.nn.Linear(2, 3, bias=False), checkpoint)
    with pytest.raises(LadaError, match='no weights under "generator"'):
        load_into(torch.nn.Linear(2, 3), checkpoint, prefix='generator')


def test_load_into_takes_a_part(tmp_path):
    source = torch.nn.ModuleDict(dict(generator=torch.nn.Linear(2, 3), other=torch.nn.Linear(1, 1)))
    torch.save(source.state_dict(), tmp_path / 'all.pth')
    target = torch.nn.Linear(2, 3)
    load_into(target, tmp_path / 'all.pth', prefix='generator')
    assert torch.equal(target.weight, source['generator'].weight)


def test_address_is_downloaded_once(tmp_path, monkeypatch, checkpoint):
    calls = []

    def download(url, target, **kwargs):
        calls.append(url)
        Path(target).write_bytes(checkpoint.read_bytes())

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    for _ in range(2):
        load_weights_file('https://weights.invalid/net-c6c1bd09.pth')
    load_weights_file('https://other.invalid/net-c6c1bd09.pth')
    assert calls == [
        'https://weights.invalid/net-c6c1bd09.pth',
        'https://other.invalid/net-c6c1bd09.pth',
    ]


def test_failed_download_says_so(tmp_path, monkeypatch):
    def download(url, target, **kwargs):
        raise OSError('no route')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    with pytest.raises(LadaError, match=r'cannot download.*no route'):
        load_weights_file('https://weights.invalid/net.pth')
