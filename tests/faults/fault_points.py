"""Components that a training config names so that a run dies, or goes wrong, at a named moment.

``FAULT=moment:number`` in the environment says when. Nothing of Lada or of a library is replaced:
the moments are reached through hooks of MMEngine and PyTorch, a transform, and Python's audit
events.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from torch import nn
from torch.utils.data import get_worker_info

from lada.engine.hooks.batch import sample_names
from lada.registry import HOOKS, MODELS, TRANSFORMS

CAP_DAC_OVERRIDE = 1
FILE_LIMIT = 1 << 20  # bytes: less than a checkpoint, more than a log


def fault() -> tuple[str, int]:
    moment, _, number = os.environ.get('FAULT', '').partition(':')
    return moment, int(number or 0)


def die(*args, **kwargs) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def drop_capability(number: int) -> None:
    """Let the permissions of files hold for this thread, and those it starts, though it may be
    root's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) or (
        sets.__setitem__(0, sets[0] & ~(1 << number)) or libc.capset(header, sets)
    ):
        raise OSError(ctypes.get_errno(), 'capset')


def wait_for_writer() -> None:
    for thread in threading.enumerate():
        if thread.name == 'checkpoint-writer':
            thread.join()


@MODELS.register_module()
class TinyGenerator(nn.Module):
    """Stands in for a network where only the training around it matters: milliseconds an iteration,
    (N, T, 3, H, W).

    ``spynet`` is frozen for ``fix_iter`` iterations like the real one; ``bulk`` makes checkpoints
    larger than logs.
    """

    def __init__(self):
        super().__init__()
        self.spynet = nn.Conv2d(3, 3, 3, padding=1)
        self.conv_last = nn.Conv2d(3, 3, 3, padding=1)
        self.bulk = nn.Parameter(torch.zeros(1 << 18))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        flat = frames.flatten(0, 1)
        return (flat + self.conv_last(self.spynet(flat)) + self.bulk.mean()).view_as(frames)


@TRANSFORMS.register_module()
class FaultTransform:
    """``loading``: the run dies while its n-th sample is loaded, in whichever process that
    happens.
    """

    def __init__(self):
        self.loaded = 0

    def __call__(self, results: dict) -> dict:
        moment, number = fault()
        self.loaded += 1
        if moment == 'loading' and self.loaded == number:
            os.kill(os.getppid() if get_worker_info() else os.getpid(), signal.SIGKILL)
            time.sleep(60)
        if get_worker_info() and self.loaded == number and moment == 'hang':
            time.sleep(1000)
        if get_worker_info() and self.loaded == number and moment == 'worker':
            die()
        return results


@HOOKS.register_module()
class FaultHook(Hook):
    """Everything that happens within iteration n, counted from 1; ``SAMPLES=path`` records what
    each one sees.
    """

    priority = 'HIGHEST'

    def before_train(self, runner) -> None:
        self.moment, self.number = fault()
        if self.moment == 'start':
            die()
        model = runner.model.module if hasattr(runner.model, 'module') else runner.model
        self.generator = model.generator
        wrapper = runner.optim_wrapper
        self.optimizers = [
            w.optimizer for w in (wrapper.values() if hasattr(wrapper, 'values') else [wrapper])
        ]
        if self.moment in ('rename', 'hint', 'expire'):
            sys.addaudithook(self.audit)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        number, names = runner.iter + 1, sample_names(data_batch)
        if 'SAMPLES' in os.environ:
            with open(os.environ['SAMPLES'] + f'.{get_rank()}', 'a') as file:
                file.write(json.dumps([number, names]) + '\n')
        if (
            self.moment == 'poison'
            and number >= self.number
            and get_rank() == int(os.environ.get('WORLD_SIZE', 1)) - 1
        ):
            self.generator.conv_last.bias.register_hook(lambda gradient: gradient * float('nan'))
            self.moment = ''
        if self.moment == 'slow':
            time.sleep(self.number / 10)
        if number != self.number:
            return
        if self.moment in ('limit', 'write', 'readonly', 'forward'):
            # What was saved before is on disk then, so that tests know what to find.
            wait_for_writer()
        if self.moment == 'iteration':
            die()
        elif self.moment == 'forward':
            self.generator.spynet.register_forward_hook(die)
        elif self.moment == 'backward':
            self.generator.conv_last.weight.register_post_accumulate_grad_hook(die)
        elif self.moment == 'before_step':
            self.optimizers[0].register_step_pre_hook(die)
        elif self.moment == 'step':
            self.optimizers[-1].register_step_post_hook(die)
        elif self.moment == 'readonly':
            drop_capability(CAP_DAC_OVERRIDE)
            os.chmod(runner.work_dir, 0o555)
        elif self.moment == 'replace':
            wait_for_writer()
            folder = os.path.join(
                os.path.dirname(runner.work_dir), 'out', os.path.basename(runner.work_dir)
            )
            os.rename(folder, folder + '.moved')
            open(folder, 'w').close()
        elif self.moment in ('write', 'limit'):
            # The kernel ends the process in the middle of its write, or the write fails; Python
            # asks for the latter.
            if self.moment == 'write':
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (FILE_LIMIT, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
            )

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if (
            (self.moment, self.number) == ('rank', runner.iter + 1)
            and os.environ.get('RANK') == '1'
            and int(os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)) == 0
        ):
            die()

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if (self.moment, self.number) == ('validation', runner.iter):
            die()

    def audit(self, event: str, args: tuple) -> None:
        name = os.path.basename(str(args[0])) if args else ''
        checkpoint = f'iter_{self.number}.pth'
        if threading.current_thread().name != 'checkpoint-writer':
            return
        if event == 'os.rename' and self.moment == 'rename' and str(args[1]).endswith(checkpoint):
            die()
        if event == 'os.rename' and self.moment == 'hint' and str(args[1]).endswith(checkpoint):
            self.renamed = True
        if (
            event == 'open'
            and name.startswith('.last_checkpoint')
            and getattr(self, 'renamed', False)
        ):
            die()
        if event == 'os.remove' and self.moment == 'expire' and name == checkpoint:
            die()


torch.set_num_threads(1)
