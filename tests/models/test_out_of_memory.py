"""Memory that runs out becomes one line with a remedy, wherever a network runs."""

import numpy as np
import pytest
import torch
from torch import nn

from lada.engine.runner import Runner
from lada.engine.train import TrainOptions, prepare_config
from lada.errors import LadaError
from lada.models.out_of_memory import RESTORING, TRAINING, out_of_memory
from lada.models.restorer import BasicVSR
from lada.video import write_video


class Greedy(nn.Module):
    """A network that no GPU is large enough for."""

    def forward(self, clip):
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB.')


@pytest.mark.parametrize('remedy', [TRAINING, RESTORING])
def test_gpu_and_machine(remedy):
    for error, what in (
        (torch.cuda.OutOfMemoryError('CUDA out of memory.'), 'GPU memory has run out; use'),
        (
            RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory"),
            'memory has run out',
        ),
    ):
        with pytest.raises(LadaError, match=what), out_of_memory(remedy):
            raise error
    with pytest.raises(RuntimeError, match='something else'), out_of_memory(remedy):
        raise RuntimeError('something else')


def test_training(tmp_path, write_config, monkeypatch):
    monkeypatch.setattr(BasicVSR, 'train_step', lambda *args, **options: Greedy()(None))
    runner = Runner.from_cfg(prepare_config(TrainOptions(str(write_config(tmp_path / 'run')))))
    with pytest.raises(
        LadaError, match=r'GPU memory has run out; .*batch_size.*checkpoint_segment'
    ):
        runner.train()


def test_restoring(tmp_path, monkeypatch, capsys):
    from lada.cli import run_script
    from lada.commands import restore

    frames = np.random.default_rng(0).integers(0, 255, (3, 64, 96, 3), np.uint8)
    write_video(tmp_path / 'in.mp4', frames, 25)
    (tmp_path / 'boxes.csv').write_text('first,last,x,y,width,height\n0,,16,16,32,32\n')
    monkeypatch.setattr('lada.inference.loading.load_generator', lambda *args: Greedy())
    arguments = ['--input', 'in.mp4', '--output', 'out.mp4', '--boxes', 'boxes.csv']
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run_script(restore.main, restore.build_parser(), [*arguments, '--device', 'cpu'])
    said = capsys.readouterr().err
    assert end.value.code == 1 and said.count('error: ') == 1
    assert 'error: GPU memory has run out; use a smaller --window' in said
    assert not (tmp_path / 'out.mp4').exists()
