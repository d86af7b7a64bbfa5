"""What there is to compute with."""

from pathlib import Path

from lada.cli import usable_cores
from lada.doctor.finding import OK, PIP, WARNING, Finding
from lada.text import counted, human_bytes

_NVIDIA = Path('/dev/nvidiactl')


def devices() -> list[Finding]:
    """Look at processor and GPUs, and compute something on each."""
    import torch

    gpus = []
    for number in range(torch.cuda.device_count()):
        torch.ones(2, device=f'cuda:{number}').sum().item()
        properties = torch.cuda.get_device_properties(number)
        gpus.append((properties.name, properties.total_memory))
    return [
        processor(usable_cores(), torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()),
        graphics(gpus, _NVIDIA.exists(), torch.version.cuda),
    ]


def processor(cores: int, threads: int, instructions: str) -> Finding:
    """Say what of the processor is used.

    Args:
        cores: that this process may use.
        threads: that PyTorch uses.
        instructions: the instruction set that PyTorch uses.
    """
    text = f'{counted(cores, "core")}, {counted(threads, "thread")} of PyTorch, {instructions}'
    if threads > cores:
        text += '; threads wait for each other where there are more of them than cores'
        return Finding('processor', WARNING, text, f'export OMP_NUM_THREADS={cores}')
    return Finding('processor', OK, text)


def graphics(gpus: list[tuple[str, int]], present: bool, built_for: str | None) -> Finding:
    """Say which GPUs are used.

    Args:
        gpus: name and bytes of memory of each that PyTorch can use.
        present: whether there is one of NVIDIA's.
        built_for: the version of CUDA that PyTorch was built for.
    """
    if gpus:
        text = ', '.join(f'{name} ({human_bytes(memory)})' for name, memory in gpus)
        return Finding('GPU', OK, f'{text}, CUDA {built_for}')
    if not present:
        return Finding('GPU', OK, 'none; the processor trains small networks')
    if built_for is None:
        remedy = f'{PIP} install --force-reinstall --index-url https://pypi.org/simple'
        text = 'there is one, and PyTorch was built without CUDA'
        return Finding('GPU', WARNING, text, f'{remedy} torch torchvision')
    text = f'there is one, and PyTorch for CUDA {built_for} cannot use it: look at its driver'
    return Finding('GPU', WARNING, text, 'nvidia-smi')
