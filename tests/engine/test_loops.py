from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from lada.engine.loops import INSTRUCTIONS, IterBasedTrainLoop


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
