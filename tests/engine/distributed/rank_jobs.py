"""What test_ranks.py computes with one process and with several: the same global batches, shared
out over the ranks.

Run as a script on each rank: ``rank_jobs.py OUTPUT CONFIG``; rank 0 writes the results.
"""

import copy
import sys
import time
from types import SimpleNamespace

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.dist import get_dist_info
from mmengine.optim import OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import get_state_dict
from torch import nn

from lada.data.data_sample import DataSample
from lada.engine import ExponentialMovingAverageHook, OptimWrapper, Runner
from lada.models.basicvsrpp.spynet import _ConvLayer
from lada.models.basicvsrpp.upsample import PixelShufflePack
from lada.models.gan_restorer import BasicVSRPlusPlusGan
from lada.models.preprocessor import DataPreprocessor
from lada.registry import MODEL_WRAPPERS, MODELS

CLIPS = 2
FIX_ITER = 2
NETWORK = dict(mid_channels=8, num_blocks=1, deform_groups=4)
STAGE1 = dict(
    type='BasicVSR',
    generator=dict(type='BasicVSRPlusPlusNet', is_low_res_input=False, **NETWORK),
    pixel_loss=dict(type='CharbonnierLoss', reduction='mean'),
    train_cfg=dict(fix_iter=FIX_ITER, mask_weight=0.2),
)
STAGE2 = dict(
    type='BasicVSRPlusPlusGan',
    generator=dict(type='BasicVSRPlusPlusGanNet', **NETWORK),
    discriminator=dict(type='UNetDiscriminatorWithSpectralNorm', in_channels=3, mid_channels=4),
    pixel_loss=dict(type='CharbonnierLoss', reduction='mean'),
    gan_loss=dict(type='GANLoss', gan_type='vanilla', loss_weight=0.05),
    is_use_ema=True,
)
SEARCHING = dict(type='MMDistributedDataParallel', find_unused_parameters=True)
REWRAPPING = dict(type='RewrappingDistributedDataParallel')


class RecordingOptimWrapper(OptimWrapper):
    """Keeps the gradients of each update."""

    def __init__(self, model, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.names = {parameter: name for name, parameter in model.named_parameters()}
        self.recorded = []

    def step(self, **kwargs):
        self.recorded.append(
            {
                self.names[parameter]: parameter.grad.clone()
                for group in self.param_groups
                for parameter in group['params']
                if parameter.grad is not None
            }
        )
        super().step(**kwargs)


class ExactPreprocessor(DataPreprocessor):
    """Hands on numbers of double precision."""

    def forward(self, data, training=False):
        data = super().forward(data, training)
        data['data_samples'].gt_img = data['data_samples'].gt_img.double()
        return {**data, 'inputs': data['inputs'].double()}


def batch(step, first=0, count=CLIPS):
    """This rank's share of clips first ... first + count - 1 of a step; their mosaics differ in
    size.
    """
    rank, world_size = get_dist_info()
    samples, inputs = [], []
    for number in range(first + rank, first + count, world_size):
        generator = torch.Generator().manual_seed(100 * step + number)
        gt, clip = torch.randint(
            0, 256, (2, 2, 3, 256, 256), generator=generator, dtype=torch.uint8
        )
        mask = torch.zeros(2, 256, 256, dtype=torch.uint8)
        mask[:, : 32 * number + 32] = 255
        sample = DataSample(metainfo=dict(key=str(number)))
        sample.set_data(dict(gt_img=gt, mosaic_mask=mask))
        samples.append(sample)
        inputs.append(clip)
    return dict(inputs=inputs, data_samples=samples)


def shrink(generator):
    """Put fewer channels where most of the work is and none of what is tested here: the head and
    the flow network.
    """
    generator.upsample2 = PixelShufflePack(8, 4, 2, upsample_kernel=3)
    generator.conv_hr, generator.conv_last = nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 3, 3, 1, 1)
    for level in generator.spynet.basic_module:
        level.basic_module = nn.Sequential(_ConvLayer(8, 4), _ConvLayer(4, 2))


def build(config, wrapper, double):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('lada'):
        model = MODELS.build(config)
        shrink(model.generator)
        if isinstance(model, BasicVSRPlusPlusGan):
            model.generator.spynet.requires_grad_(False)
            model.generator_ema = copy.deepcopy(model.generator).requires_grad_(False)
        for parameter in model.parameters():
            if (
                not parameter.any()
            ):  # layers that start at zero keep the gradient from those before them
                torch.nn.init.normal_(parameter, std=0.05)
        if double:
            model.double()
            model.data_preprocessor = ExactPreprocessor(mean=[0.0] * 3, std=[255.0] * 3)
        return MODEL_WRAPPERS.build(dict(wrapper, module=model)) if dist.is_initialized() else model


def bare(model):
    return getattr(model, 'module', model)


def gradients(wrapper, double=True):
    """Those of four steps, two with the flow network frozen."""
    model = build(STAGE1, wrapper, double)
    recorder = RecordingOptimWrapper(bare(model), torch.optim.SGD(model.parameters(), lr=0.01))
    for step in range(2 * FIX_ITER):
        model.train_step(batch(step), recorder)
    return recorder.recorded


def accumulated(wrapper, pieces):
    """Those of two updates of 2 * CLIPS clips each, collected in so many pieces."""
    model = build({**STAGE1, 'train_cfg': dict(mask_weight=0.2)}, wrapper, True)
    recorder = RecordingOptimWrapper(
        bare(model), torch.optim.SGD(model.parameters(), lr=0.01), accumulative_counts=pieces
    )
    size = 2 * CLIPS // pieces
    for step in range(2):
        for piece in range(pieces):
            model.train_step(batch(step, piece * size, size), recorder)
    return recorder.recorded


def adversarial():
    """The whole state after two steps of stage 2 with averaged weights."""
    model = build(STAGE2, dict(type='MMSeparateDistributedDataParallel'), True)
    parts = bare(model)
    wrapper = OptimWrapperDict(
        generator=OptimWrapper(torch.optim.Adam(parts.generator.parameters(), lr=1e-3)),
        discriminator=OptimWrapper(torch.optim.Adam(parts.discriminator.parameters(), lr=1e-3)),
    )
    hook = ExponentialMovingAverageHook('generator_ema', interp_cfg=dict(momentum=0.3))
    for step in range(2):
        model.train_step(batch(step), wrapper)
        hook.after_train_iter(SimpleNamespace(iter=step, model=model), step)
    return get_state_dict(model)


def runner(config_path, work_dir, batch_size, **options):
    """A Runner of two iterations an update, unless ``options`` say otherwise, whose validation set
    has five clips.
    """
    config = Config.fromfile(config_path)
    config.merge_from_dict(
        dict(
            work_dir=str(work_dir),
            launcher='pytorch' if dist.is_initialized() else 'none',
            train_cfg=dict(max_iters=4, val_interval=8),
            train_dataloader=dict(batch_size=batch_size),
            optim_wrapper=dict(accumulative_counts=2),
            auto_scale_lr=dict(enable=True, base_batch_size=16),
            param_scheduler=dict(_delete_=True, type='ConstantLR', by_epoch=False, factor=1),
        )
    )
    # Adam turns the rounding of tiny gradients into whole steps.
    config.optim_wrapper.optimizer = dict(type='SGD', lr=0.4)
    config.merge_from_dict(options)
    return Runner.from_cfg(config)


def whole_run(config_path, work_dir):
    """Weights, samples used, learning rate and speed of a training run whose last rank is slow."""
    rank, world_size = get_dist_info()
    trained = runner(config_path, work_dir, 2 // world_size)
    if rank == world_size - 1:
        bare(trained.model).generator.spynet.register_forward_pre_hook(lambda *_: time.sleep(0.5))
    trained.train()
    hub = trained.message_hub
    speed = {
        name.removeprefix('train/throughput/'): value.current()
        for name, value in hub.log_scalars.items()
        if 'throughput' in name
    }
    return dict(
        weights=get_state_dict(trained.model),
        samples=hub.get_info('samples_consumed'),
        speed=speed,
        lr=trained.optim_wrapper.optimizer.param_groups[-1]['lr'],
    )


def across_the_boundary(config_path, work_dir):
    """Weights of four iterations, two with the flow network frozen: searching, re-wrapping, and
    resumed while re-wrapping on either side.
    """

    def weights(name, wrapper, **options):
        run = runner(
            config_path,
            f'{work_dir}.{name}',
            1,
            **options,
            model_wrapper_cfg=dict(wrapper, _delete_=True),
            optim_wrapper=dict(accumulative_counts=1),
            default_hooks=dict(checkpoint=dict(interval=1)),
        )
        run.train()
        dist.barrier()  # the checkpoints of rank 0
        return get_state_dict(run.model)

    results = dict(
        searching=weights('searching', SEARCHING), rewrapping=weights('whole', REWRAPPING)
    )
    for step in (1, 3):
        results[f'from_{step}'] = weights(
            f'from_{step}', REWRAPPING, resume=True, load_from=f'{work_dir}.whole/iter_{step}.pth'
        )
    return results


def all_jobs(config, work_dir):
    world_size = get_dist_info()[1]
    results = dict(scores=runner(config, work_dir, 1).val())
    if world_size < 3:
        exact, updates = gradients(SEARCHING), accumulated(SEARCHING, world_size)
        # One process has no wrapper.
        results |= dict(
            searching=exact,
            rewrapping=gradients(REWRAPPING) if world_size > 1 else exact,
            single=gradients(SEARCHING, double=False),
            accumulated=updates,
            accumulated_rewrapping=(
                accumulated(REWRAPPING, world_size) if world_size > 1 else updates
            ),
            adversarial=adversarial(),
            run=whole_run(config, work_dir),
        )
    if world_size == 2:
        results['boundary'] = across_the_boundary(config, work_dir)
    return results


if __name__ == '__main__':
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    output, config = sys.argv[1:]
    results = all_jobs(config, f'{output}.run')
    if dist.get_rank() == 0:
        torch.save(results, output)
    dist.barrier()
    dist.destroy_process_group()
