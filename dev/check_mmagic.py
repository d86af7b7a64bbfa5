"""Prints a table: does this toolkit work beside OpenMMLab's own MMagic, and with the same numbers?

To be run in the environment that `scripts/setup-mmagic-environment.sh` makes. It compares classes
with the same weights and inputs, and trains four iterations with MMagic's parts in Lada's configs
and with Lada's own; ends with status 1 where something failed.
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
import zlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
TRAIN = ROOT / 'scripts/training/train-mosaic-restoration-basicvsrpp.py'
CREATE = ROOT / 'scripts/dataset_creation/create-mosaic-restoration-dataset.py'
PACKAGES = ('torch', 'torchvision', 'numpy', 'mmengine', 'mmcv', 'mmagic', 'diffusers')
failures = 0


def row(name: str, check: Callable[[], str]) -> None:
    """Print a line of the table."""
    global failures
    try:
        said = check()
    except Exception as error:
        failures += 1
        said = f'**FAILED** {type(error).__name__}: {" ".join(str(error).split())[:200]}'
        traceback.print_exc(limit=-3)
    print(f'| {name} | {said} |', flush=True)


def near(ours, theirs, tolerance: float = 1e-6) -> str:
    """Say how far two results are from one another, relative to the larger; fail if too far."""
    ours, theirs = (torch.as_tensor(each, dtype=torch.float64) for each in (ours, theirs))
    assert ours.shape == theirs.shape, f'shapes {tuple(ours.shape)}, {tuple(theirs.shape)}'
    far = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))
    assert far <= tolerance, f'differ by {far:.1e}'
    return f'differ by {far:.0e}' if far else 'the same bits'


def fill(module: nn.Module) -> nn.Module:
    """Set weights that depend on their names alone (tests/golden/README.md)."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            std = 1 / (parameter[0].numel() ** 0.5) if parameter.dim() > 1 else 0.01
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)
    return module


def rnd(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def network(same_size: bool) -> str:
    import mmagic.models as theirs

    import lada.models as ours

    settings = dict(mid_channels=16, num_blocks=2, is_low_res_input=not same_size)
    side = 256 if same_size else 64
    clip = rnd(1, 1, 3, 3, side, side)
    results = []
    for module in (ours, theirs):
        net = fill(module.BasicVSRPlusPlusNet(**settings))
        output = net(clip)
        output.square().mean().backward()
        norms = {name: float(p.grad.norm()) for name, p in net.named_parameters()}
        results.append((output.detach(), norms))
    (output, norms), (reference, expected) = results
    assert list(norms) == list(expected), 'state-dict keys differ'
    said = near(output, reference, 1e-4)
    gradients = near(list(norms.values()), list(expected.values()), 1e-2)
    return f'output: {said}; gradient norms: {gradients}'


def pixel_losses() -> str:
    import mmagic.models as theirs

    import lada.models as ours

    a, b = rnd(2, 2, 3, 16, 16), rnd(3, 2, 3, 16, 16)
    weight = (rnd(4, 2, 1, 16, 16) > 0.5).float()
    said = []
    for name in ('L1Loss', 'MSELoss', 'CharbonnierLoss'):
        for settings in (
            dict(),
            dict(reduction='sum'),
            dict(reduction='none'),
            dict(sample_wise=True, loss_weight=0.5),
        ):
            values = [
                [
                    getattr(each, name)(**settings)(a, b),
                    getattr(each, name)(**settings)(a, b, weight),
                ]
                for each in (ours, theirs)
            ]
            said += [near(*pair) for pair in zip(*values, strict=True)]
    return f'{len(said)} values; {max(said, key=lambda each: each.split()[-1])}'


def gan_losses() -> str:
    import mmagic.models as theirs

    import lada.models as ours

    logits = rnd(5, 2, 1, 8, 8) * 4 - 2
    count = 0
    for kind in ('vanilla', 'lsgan', 'l1', 'hinge', 'wgan'):
        for is_real in (True, False):
            for is_disc in (True, False):
                values = [
                    each.GANLoss(kind, loss_weight=0.05)(logits, is_real, is_disc=is_disc)
                    for each in (ours, theirs)
                ]
                near(*values)
                count += 1
    return f'{count} values within 1e-6'


def discriminator() -> str:
    import mmagic.models as theirs

    import lada.models as ours

    nets = [
        each.UNetDiscriminatorWithSpectralNorm(3, 16, skip_connection=True)
        for each in (ours, theirs)
    ]
    nets[0].load_state_dict(fill(nets[1]).state_dict())
    picture = rnd(6, 2, 3, 64, 64)
    return near(*[net.eval()(picture).detach() for net in nets], 1e-5)


def upsampling() -> str:
    from mmagic.models.archs import PixelShufflePack as Theirs

    from lada.models import PixelShufflePack as Ours

    nets = [fill(each(8, 4, 2, 3)) for each in (Ours, Theirs)]
    return near(*[net(rnd(7, 1, 8, 9, 10)).detach() for net in nets])


def metric(name: str) -> str:
    import mmagic.evaluation.metrics as theirs

    import lada.evaluation as ours

    a = torch.round(rnd(8, 2, 3, 48, 64) * 255)
    b = torch.clip(torch.round(a + rnd(9, 2, 3, 48, 64) * 40 - 20), 0, 255)
    said = []
    for settings in (dict(), dict(crop_border=4), dict(convert_to='Y')):
        values = []
        for module in (ours, theirs):
            judge = getattr(module, name)(**settings)
            # MMagic takes every picture for BGR, Lada for RGB.
            order = [2, 1, 0] if module is theirs and 'convert_to' in settings else [0, 1, 2]
            sample = dict(gt_img=a[:, order], output=dict(pred_img=b[:, order]))
            judge.process(None, [sample])
            values.append(judge.compute_metrics(judge.results)[name])
        said.append(f'{values[0]:.7f}')
        near(*values, tolerance=3e-7)
    return f'whole, crop_border=4, luma: {", ".join(said)}; within 3e-7'


def preprocessor() -> str:
    from mmagic.models import DataPreprocessor as Theirs
    from mmagic.structures import DataSample as TheirSample

    from lada.data import DataSample as OurSample
    from lada.models import DataPreprocessor as Ours

    frames = [(rnd(seed, 2, 3, 30, 34) * 255).to(torch.uint8) for seed in (10, 11)]
    values = []
    for kind, sample in ((Ours, OurSample), (Theirs, TheirSample)):
        for settings in (
            dict(mean=[0.0] * 3, std=[255.0] * 3),
            dict(pad_size_divisor=8, pad_value=7),
        ):
            processor = kind(**settings)
            samples = [sample(gt_img=each.clone()) for each in frames]
            data = processor(dict(inputs=list(frames), data_samples=samples), training=True)
            back = processor.destruct(data['inputs'], data['data_samples'])
            values.append((data['inputs'], data['data_samples'].gt_img, back))
    pairs = zip(values[:2], values[2:], strict=True)
    return max(near(*each) for ours, theirs in pairs for each in zip(ours, theirs, strict=True))


def data_sample() -> str:
    from mmagic.structures import DataSample as Theirs

    from lada.data import DataSample as Ours

    seen = []
    for kind in (Ours, Theirs):
        parts = []
        for number in (1, 2):
            part = kind(metainfo=dict(num_classes=3, gt_path=f'{number}'))
            part.set_gt_label(number)
            part.set_tensor_data(dict(gt_img=torch.full((2, 3), number)))
            parts.append(part)
        batch = kind.stack(parts)
        again = batch.split()
        seen.append(
            (
                len(parts[0]),
                len(batch),
                batch.gt_label.label.tolist(),
                batch.gt_img.tolist(),
                batch.gt_path,
                [part.gt_label.label.tolist() for part in again],
            )
        )
    assert seen[0] == seen[1], seen
    return 'stack, split, len, labels alike'


def constructor() -> str:
    from mmagic.engine.optimizers import MultiOptimWrapperConstructor as Theirs

    from lada.engine import MultiOptimWrapperConstructor as Ours

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator = nn.ModuleDict(dict(spynet=nn.Linear(2, 2), rest=nn.Linear(3, 3)))
            self.discriminator = nn.Linear(4, 4)

    def adam(rate: float, **others) -> dict:
        return dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=rate), **others)

    named = dict(custom_keys={'spynet': dict(lr_mult=0.25)})
    configs = (
        dict(generator=adam(1e-4, paramwise_cfg=named), discriminator=adam(1e-3)),
        {'generator.spynet': adam(1e-5), '.*rest': adam(1e-4), 'discriminator': adam(1e-3)},
        dict(modules=['.*rest', 'discriminator'], optimizer=dict(type='Adam', lr=1e-4)),
    )
    model = Model()
    for config in configs:
        seen = []
        for kind in (Ours, Theirs):
            built = kind(config)(model)
            wrappers = built if hasattr(built, 'items') else {'': built}
            seen.append(
                {
                    name: sorted(
                        (group['lr'], p.numel())
                        for group in wrapper.param_groups
                        for p in group['params']
                    )
                    for name, wrapper in wrappers.items()
                }
            )
        assert seen[0] == seen[1], seen
    return 'parts with custom_keys, names by pattern, `modules`: the same groups'


CONFIG = """
_base_ = {demo!r}
custom_imports = dict(imports=['mmagic.registry'])
train_cfg = dict(max_iters=4, val_interval=4)
train_dataloader = dict(dataset=dict(num_frame=3))
val_dataloader = dict(dataset=dict(num_frame=3))
default_hooks = dict(checkpoint=dict(interval=4), logger=dict(interval=1))
parts = dict(
    _delete_=True,
    type='BasicVSR',
    generator=dict(type='{scope}BasicVSRPlusPlusNet', mid_channels=16, num_blocks=1,
                   is_low_res_input=False),
    pixel_loss=dict(type='{scope}CharbonnierLoss'),
    train_cfg=dict(fix_iter=2),
    data_preprocessor=dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3))
model = dict(parts)
"""
SHOWN = """
visualizer = dict(_delete_=True, type='mmagic.ConcatImageVisualizer', fn_key='key',
                  img_keys=['input', 'pred_img', 'gt_img'],
                  vis_backends=[dict(type='LocalVisBackend'), dict(type='mmagic.VisBackend')])
custom_hooks = [dict(type='mmagic.BasicVisualizationHook', interval=1)]
default_hooks['timer'] = dict(type='mmagic.IterTimerHook')
"""
AVERAGED = """
model = dict(_delete_=True, type='BasicVSRPlusPlusGan', is_use_ema=True,
    generator=parts['generator'], pixel_loss=parts['pixel_loss'],
    discriminator=dict(type='mmagic.UNetDiscriminatorWithSpectralNorm', in_channels=3,
                       mid_channels=8),
    gan_loss=dict(type='mmagic.GANLoss', gan_type='vanilla', loss_weight=0.05),
    data_preprocessor=parts['data_preprocessor'])
optim_wrapper = dict(_delete_=True, constructor='mmagic.MultiOptimWrapperConstructor',
    generator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4)),
    discriminator=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4)))
custom_hooks = [dict(type='mmagic.ExponentialMovingAverageHook', module_keys='generator_ema',
                     interval=1)]
"""


class Trainings:
    """Trainings of four iterations from the same weights, each in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.scalars: dict[str, list[dict]] = {}
        self.clips = folder / 'clips'
        self.environment = dict(LADA_DATA_ROOT=str(self.clips), LADA_VAL_ROOT=str(self.clips))

    def create(self) -> str:
        videos = ROOT / 'assets/sample_videos'
        run([CREATE, '--input', videos, '--output', self.clips, '--max-frames', '40'])
        return f'{len(list(self.clips.glob("*_img/*.mp4")))} of the sample videos'

    def weights(self) -> Path:
        path = self.folder / 'weights.pth'
        if not path.exists():
            from lada.models import BasicVSRPlusPlusNet

            net = fill(BasicVSRPlusPlusNet(mid_channels=16, num_blocks=1, is_low_res_input=False))
            state = {f'generator.{name}': value for name, value in net.state_dict().items()}
            torch.save(dict(state_dict=state), path)
        return path

    def train(self, name: str, text: str, scope: str = 'mmagic.', load: bool = True) -> Path:
        demo = ROOT / 'configs/basicvsrpp/mosaic_restoration_demo_cpu.py'
        config = self.folder / f'{name}.py'
        config.write_text(CONFIG.format(demo=str(demo), scope=scope) + text)
        work_dir = self.folder / name
        weights = ['--load-from', self.weights()] if load else []
        run([TRAIN, config, '--work-dir', work_dir, *weights], **self.environment)
        lines = max(work_dir.glob('*/vis_data/scalars.json')).read_text().splitlines()
        self.scalars[name] = [json.loads(line) for line in lines]
        return work_dir

    def losses(self, name: str) -> list[float]:
        return [line['loss'] for line in self.scalars[name] if 'loss' in line]

    def parts(self) -> str:
        self.train('ours', '', scope='')
        self.train('theirs', '')
        losses = self.losses('theirs')
        assert len(losses) == 4, losses
        said = near(self.losses('ours'), losses, 1e-4)
        shown = ', '.join(f'{loss:.6f}' for loss in losses)
        return f'losses {shown}; those with our classes {said}'

    def shown(self) -> str:
        work_dir = self.train('shown', SHOWN)
        pictures = sorted(work_dir.glob('*/vis_data/vis_image*/*.png'))
        assert pictures, 'no pictures'
        return f'{len(pictures)} pictures, scalars of {len(self.losses("shown"))} iterations'

    def averaged(self) -> str:
        work_dir = self.train('averaged', AVERAGED, load=False)
        state = torch.load(work_dir / 'iter_4.pth', weights_only=False)['state_dict']
        key = 'conv_last.weight'
        moved = (state[f'generator_ema.{key}'] - state[f'generator.{key}']).abs().max()
        assert moved > 0, 'the average is the network'
        return f'4 iterations of both networks; average {float(moved):.0e} behind'


def run(command: list, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, 'PYTHONWARNINGS': 'ignore', **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-300:])


def main() -> None:
    warnings.simplefilter('ignore')
    logging.disable(logging.WARNING)  # MMEngine's, between the lines of the table
    print(', '.join(f'{name} {metadata.version(name)}' for name in PACKAGES))
    print('\n| part | MMagic and this toolkit |\n|---|---|')
    row('BasicVSRPlusPlusNet, x4', lambda: network(same_size=False))
    row('BasicVSRPlusPlusNet, same size', lambda: network(same_size=True))
    row('L1Loss, MSELoss, CharbonnierLoss', pixel_losses)
    row('GANLoss', gan_losses)
    row('UNetDiscriminatorWithSpectralNorm', discriminator)
    row('PixelShufflePack', upsampling)
    row('PSNR', lambda: metric('PSNR'))
    row('SSIM', lambda: metric('SSIM'))
    row('DataPreprocessor', preprocessor)
    row('DataSample', data_sample)
    row('MultiOptimWrapperConstructor', constructor)
    with tempfile.TemporaryDirectory() as folder:
        trainings = Trainings(Path(folder))
        row('clips to train on', trainings.create)
        row('network, loss `mmagic.X`, trained', trainings.parts)
        row('visualizer, backend, hooks `mmagic.X`', trainings.shown)
        row('GAN parts, constructor, averaging `mmagic.X`', trainings.averaged)
    sys.exit(bool(failures))


if __name__ == '__main__':
    main()
