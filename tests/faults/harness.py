"""Trainings as real processes that are killed, and what is left of them: for the tests here and for
benchmarks/.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SCRIPT = ROOT / 'scripts' / 'training' / 'train-mosaic-restoration-basicvsrpp.py'

CONFIG = """
_base_ = {demo!r}
work_dir = {work_dir!r}
custom_imports = dict(imports=['fault_points'])
model = dict(generator=dict(_delete_=True, type='TinyGenerator'), train_cfg=dict(fix_iter=3))
pipeline = [dict(type='LoadClip'), dict(type='FaultTransform'), dict(type='DrawMosaic'),
            dict(type='ResizeClip', size=64), dict(type='FlipClip'), dict(type='PackClip')]
train_dataloader = dict(
    num_workers={workers}, persistent_workers={workers} > 0, batch_size={batch_size},
    worker_init_fn=dict(type='init_lada_worker'),
    dataset=dict(metadata_root_dir={train!r}, num_frame=2, pipeline=pipeline))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(metadata_root_dir={val!r}, num_frame=2, pipeline=pipeline))
val_evaluator = dict(_delete_=True, type='Evaluator', metrics=[dict(type='PSNR')])
train_cfg = dict(max_iters={iters}, val_interval=4)
default_hooks = dict(
    checkpoint=dict(interval=2, max_keep_ckpts=2, out_dir=None, save_best=None),
    logger=dict(interval=1))
custom_hooks = [dict(type='FaultHook')]
visualizer = dict(vis_backends=[dict(type='LocalVisBackend')])
"""

STAGE_2 = """
model = dict(
    _delete_=True, type='BasicVSRPlusPlusGan',
    generator=dict(type='TinyGenerator'),
    discriminator=dict(type='UNetDiscriminatorWithSpectralNorm', in_channels=3, mid_channels=4),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean'),
    gan_loss=dict(type='GANLoss', gan_type='vanilla', loss_weight=0.05),
    is_use_ema=True,
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
optim_wrapper = dict(
    _delete_=True, constructor='MultiOptimWrapperConstructor',
    generator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
    discriminator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)))
model_wrapper_cfg = dict(_delete_=True, type='MMSeparateDistributedDataParallel')
custom_hooks = [
    dict(type='FaultHook'),
    dict(type='ExponentialMovingAverageHook', module_keys='generator_ema',
         interp_cfg=dict(momentum=0.5))]
"""


def write_config(
    work_dir: Path,
    clips: tuple[Path, Path],
    extra: str = '',
    *,
    workers: int = 0,
    batch_size: int = 1,
    iters: int = 8,
) -> Path:
    """Write the config of a run that takes seconds beside its work directory; ``clips``: metadata
    folders.
    """
    path = work_dir.with_name(f'{work_dir.name}.py')
    demo = ROOT / 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
    path.write_text(
        CONFIG.format(
            demo=str(demo),
            work_dir=str(work_dir),
            train=str(clips[0]),
            val=str(clips[1]),
            workers=workers,
            batch_size=batch_size,
            iters=iters,
        )
        + extra
    )
    return path


class Run:
    """A training that has been started; what it says goes to files."""

    def __init__(self, server: 'ForkServer', pid: int, out: Path, err: Path):
        self._server, self.pid, self._out, self._err, self.status = server, pid, out, err, None

    @property
    def output(self) -> str:
        return self._out.read_text(errors='replace')

    @property
    def errors(self) -> str:
        """What went to stderr; the same as :attr:`output` unless they were kept apart."""
        return self._err.read_text(errors='replace')

    def lives(self) -> bool:
        try:
            stat = Path(f'/proc/{self.pid}/stat').read_text()
        except FileNotFoundError:
            return False
        return stat.rpartition(')')[2].split()[0] != 'Z'

    def wait(self) -> int:
        """Wait for the end; returns the exit status, negative for a signal. What the process
        started ends with it.
        """
        if self.status is None:
            self.status = self._server.ask(wait=self.pid)
            self.signal(signal.SIGKILL)
        return self.status

    def signal(self, number: int, group: bool = True) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number) if group else os.kill(self.pid, number)


class ForkServer:
    """Starts trainings quickly; see fork_server.py. Use as a context manager."""

    def __init__(self, folder: Path):
        self._folder, self._count = folder, 0

    def __enter__(self) -> 'ForkServer':
        path = os.pathsep.join(filter(None, [str(HERE), str(ROOT), os.environ.get('PYTHONPATH')]))
        self._process = subprocess.Popen(
            [sys.executable, HERE / 'fork_server.py'],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                'OMP_NUM_THREADS': '1',
                'CUDA_VISIBLE_DEVICES': '',
                'PYTHONPATH': path,
            },
        )
        return self

    def __exit__(self, *exception) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, **request) -> int:
        self._process.stdin.write(json.dumps(request) + '\n')
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(
        self,
        *args: object,
        fault: str = '',
        script: Path = SCRIPT,
        apart: bool = False,
        **environment: str,
    ) -> Run:
        """Start a script with arguments; ``fault`` is ``moment:number`` of fault_points.py.
        ``apart``: keep what it writes to stderr apart.
        """
        self._count += 1
        out = self._folder / f'output-{self._count}.log'
        err = self._folder / f'errors-{self._count}.log' if apart else out
        out.touch()
        err.touch()
        pid = self.ask(
            script=str(script),
            args=[str(arg) for arg in args],
            out=str(out),
            err=str(err),
            env={**environment, 'FAULT': fault},
        )
        return Run(self, pid, out, err)

    def run(self, *args: object, **options) -> Run:
        """Start a script and wait for its end."""
        run = self.start(*args, **options)
        run.wait()
        return run

    def start_group(self, processes: int, *args: object, **options) -> list[Run]:
        """Start the ranks of a distributed run, as torchrun would."""
        environment = dict(
            MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()), WORLD_SIZE=str(processes)
        )
        return [
            self.start(
                *args,
                '--launcher',
                'pytorch',
                RANK=str(rank),
                LOCAL_RANK=str(rank),
                **environment,
                **options,
            )
            for rank in range(processes)
        ]


def torchrun(config, *options, start=(), stdout=subprocess.PIPE, **environment):
    """Start a training under the elastic launcher, in a session of its own."""
    path = os.pathsep.join([str(HERE), str(ROOT)])
    command = [
        sys.executable,
        '-m',
        'torch.distributed.run',
        *options,
        str(SCRIPT),
        str(config),
        '--launcher',
        'pytorch',
        *start,
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            'OMP_NUM_THREADS': '1',
            'CUDA_VISIBLE_DEVICES': '',
            'PYTHONPATH': path,
            **environment,
        },
        start_new_session=True,
    )


def meeting(port: int, settings: str) -> list[str]:
    """Options of the elastic launcher for one of one or two agents on this machine, each with a
    rank; ``settings``: of the rendezvous.
    """
    return [
        '--nnodes=1:2',
        '--nproc-per-node=1',
        '--max-restarts=3',
        '--rdzv-backend=c10d',
        f'--rdzv-endpoint=127.0.0.1:{port}',
        '--rdzv-id=lada',
        f'--rdzv-conf={settings}',
        '--local-addr=127.0.0.1',
    ]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_for(path: Path, run: Run, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f'{path} did not appear: {run.output}'
        time.sleep(0.01)


def newest(work_dir: Path) -> int:
    """Return the iteration of the newest checkpoint that is whole, 0 without one. Not
    Lada's code.
    """
    for step in sorted((int(path.stem[5:]) for path in work_dir.glob('iter_*.pth')), reverse=True):
        try:
            torch.load(work_dir / f'iter_{step}.pth', weights_only=False)
            return step
        except Exception:
            continue
    return 0


def resumed_at(output: str) -> int:
    """Return the iteration at which a run says it continues, 0 for a fresh start."""
    found = re.search(r'training continues from iteration (\d+)', output)
    assert found or 'training starts afresh' in output, output
    return int(found.group(1)) if found else 0


def is_exact(key: str) -> bool:
    """Whether a logged value is a result, which must repeat, and not a measurement of the
    machine.
    """
    return key.startswith(('loss', 'lr', 'grad_norm', 'base_lr')) or 'PSNR' in key or 'SSIM' in key


def final_state(work_dir: Path) -> dict:
    """Return everything of the newest checkpoint that must not depend on how often the run was
    killed.
    """
    checkpoint = torch.load(work_dir / f'iter_{newest(work_dir)}.pth', weights_only=False)
    hub = checkpoint['message_hub']
    history = {
        key: [part.tolist() for part in value.data]
        for key, value in hub['log_scalars'].items()
        if is_exact(key.partition('/')[2])
    }
    counters = {
        key: hub['runtime_info'].get(key)
        for key in (
            'samples_consumed',
            'last_validated_iter',
            'bad_samples',
            'updates_skipped_in_a_row',
            'keep_ckpt_ids',
        )
    }
    return dict(
        iter=checkpoint['meta']['iter'],
        weights=checkpoint['state_dict'],
        optimizer=checkpoint['optimizer'],
        schedulers=checkpoint.get('param_schedulers'),
        history=history,
        counters=counters,
    )


def same(a, b) -> bool:
    """Compare nested containers; tensors bit by bit."""
    if isinstance(a, torch.Tensor):
        return (
            isinstance(b, torch.Tensor)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and (a.numpy().tobytes() == b.numpy().tobytes())
        )
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return isinstance(b, (list, tuple)) and len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


def logged(work_dir: Path) -> dict[int, dict]:
    """Return the logged results of each step. A step that several starts logged must have the same
    in all of them.
    """
    steps: dict[int, dict] = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            for key, value in entry.items():
                if is_exact(key.partition('/')[2] or key):
                    before = steps.setdefault(entry['step'], {}).setdefault(key, value)
                    assert before == value, (
                        f'step {entry["step"]}: {key} was {before}, then {value}'
                    )
    return steps


def leftovers(work_dir: Path) -> list[str]:
    """Return the files in a work directory that are not its last checkpoints."""
    return sorted(path.name for path in work_dir.iterdir() if path.is_file())
