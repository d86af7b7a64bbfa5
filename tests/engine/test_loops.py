from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from lada.data.dataset import SAMPLES_VERSION
from lada.engine.loops import INSTRUCTIONS, SAMPLES, IterBasedTrainLoop


@pytest.mark.parametrize(
    ('before', 'said'), [(None, 'Processor: '), ('VSX', 'Processor: VSX before, ')]
)
def test_another_processor_is_named(before, said):
    hub = MessageHub(f'instructions-{before}')
    if before:
        hub.update_info(INSTRUCTIONS, before)
    lines = []
    log = SimpleNamespace(info=lines.append, warning=lines.append)
    loop = SimpleNamespace(runner=SimpleNamespace(message_hub=hub, logger=log))
    IterBasedTrainLoop._note_instructions(loop)
    [line] = lines
    now = torch.backends.cpu.get_cpu_capability()
    assert line.startswith(said) and now in line
    # What a checkpoint will hold.
    assert hub.get_info(INSTRUCTIONS) == now


@pytest.mark.parametrize(
    ('iteration', 'before', 'says'),
    [
        (0, None, False),
        (7, None, True),
        (7, SAMPLES_VERSION, False),
        (7, SAMPLES_VERSION + 1, True),
    ],
)
def test_other_samples_than_before_are_named(iteration, before, says):
    hub = MessageHub(f'samples-{iteration}-{before}')
    if before is not None:
        hub.update_info(SAMPLES, before)
    lines = []
    log = SimpleNamespace(info=lines.append)
    loop = SimpleNamespace(iter=iteration, runner=SimpleNamespace(message_hub=hub, logger=log))
    IterBasedTrainLoop._note_samples(loop)
    assert bool(lines) == says and hub.get_info(SAMPLES) == SAMPLES_VERSION
    if says:
        assert f'{SAMPLES_VERSION} now' in lines[0]
