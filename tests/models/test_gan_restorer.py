import copy
import itertools

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapperDict
from torch import nn

from lada.engine import ExponentialMovingAverageHook, OptimWrapper
from lada.errors import LadaError
from lada.models import BasicVSRPlusPlusGan, BasicVSRPlusPlusGanNet


class Gain(BaseModule):
    """Stands in for a generator: one trained number, one that stays as it is."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))
        self.spynet = nn.Linear(1, 1, bias=False).requires_grad_(False)

    def forward(self, clip):
        return clip * self.gain


DISCRIMINATOR = dict(type='UNetDiscriminatorWithSpectralNorm', in_channels=3, mid_channels=4)
GAN_LOSS = dict(type='GANLoss', gan_type='vanilla', loss_weight=0.1)


@pytest.fixture
def build():
    def make(**options):
        torch.manual_seed(0)
        settings = (
            dict(
                generator=dict(type=Gain),
                discriminator=DISCRIMINATOR,
                gan_loss=GAN_LOSS,
                pixel_loss=dict(type='L1Loss'),
                is_use_ema=True,
            )
            | options
        )
        return BasicVSRPlusPlusGan(**settings)

    return make


@pytest.fixture
def batch(make_sample, golden):
    clips = [(golden.rnd(seed, 2, 3, 16, 16) * 255).byte() for seed in range(4)]
    return dict(inputs=clips[:2], data_samples=[make_sample(gt_img=clip) for clip in clips[2:]])


def optimizers(model):
    parts = ['generator', 'discriminator'] if model.discriminator is not None else ['generator']
    return OptimWrapperDict(
        **{
            part: OptimWrapper(
                torch.optim.SGD(
                    [
                        parameter
                        for parameter in getattr(model, part).parameters()
                        if parameter.requires_grad
                    ],
                    lr=0.1,
                )
            )
            for part in parts
        }
    )


def test_a_step_is_the_one_written_out(build, batch):
    """Generator on the discriminator's old weights, then discriminator on the generator's old
    output.
    """
    model = build()
    expected = copy.deepcopy(model)
    log = model.train_step(batch, optimizers(model))

    data = expected.data_preprocessor(batch, True)
    clips, truth = data['inputs'], data['data_samples'].gt_img
    generator, critic, gan_loss = expected.generator, expected.discriminator, expected.gan_loss
    output = generator(clips)
    pixel = (output - truth).abs().mean()
    adversarial = gan_loss(critic(output.flatten(0, 1)), True)
    (step,) = torch.autograd.grad(pixel + adversarial, [generator.gain])
    torch.testing.assert_close(model.generator.gain, generator.gain - 0.1 * step)
    real = gan_loss(critic(truth.flatten(0, 1)), True, is_disc=True)
    fake = gan_loss(critic(output.detach().flatten(0, 1)), False, is_disc=True)
    steps = torch.autograd.grad(real + fake, list(critic.parameters()))
    for ours, theirs, step in zip(
        model.discriminator.parameters(), critic.parameters(), steps, strict=True
    ):
        torch.testing.assert_close(ours, theirs - 0.1 * step)
    for name, value in dict(
        loss_pix=pixel,
        loss_gan=adversarial,
        loss=pixel + adversarial,
        loss_d_real=real,
        loss_d_fake=fake,
    ).items():
        torch.testing.assert_close(log[name], value)
    assert model.step_counter == 1
    assert all(parameter.requires_grad for parameter in model.discriminator.parameters())


def test_schedule_of_the_two_networks(build, batch):
    model = build(train_cfg=dict(disc_steps=2, disc_init_steps=2, disc_repeat=2))
    wrapper = optimizers(model)
    gains, logs = [model.generator.gain.item()], []
    for _ in range(5):
        logs.append(model.train_step(batch, wrapper))
        gains.append(model.generator.gain.item())
    assert [before != after for before, after in itertools.pairwise(gains)] == [
        False,
        False,
        True,
        False,
        True,
    ]
    assert all('loss_d_real' in log for log in logs)
    with pytest.raises(LadaError, match='fix_iter'):
        build(train_cfg=dict(fix_iter=3))


def test_without_a_discriminator(build, batch):
    model = build(discriminator=None, gan_loss=None)
    assert set(model.train_step(batch, optimizers(model))) == {'loss', 'loss_pix'}
    assert set(model(**model.data_preprocessor(batch, True), mode='loss')) == {'loss_pix'}


def test_the_average_predicts(build, batch, make_sample):
    model = build()
    hook = ExponentialMovingAverageHook(
        'generator_ema', interp_cfg=dict(momentum=0.25), start_iter=1
    )

    class Runner:
        iter = 0

    Runner.model = model
    hook.before_train(Runner)
    with torch.no_grad():
        for Runner.iter, gain in enumerate((1.0, 2.0, 3.0)):
            model.generator.gain.fill_(gain)
            model.generator.spynet.weight.fill_(gain)
            hook.after_train_iter(Runner, 0)
    # Copied at first, then a quarter of the way each time; what is not trained is copied.
    assert model.generator_ema.gain.item() == pytest.approx(
        (1.0 * 0.75 + 2.0 * 0.25) * 0.75 + 3.0 * 0.25
    )
    assert model.generator_ema.spynet.weight.item() == 3
    clips = batch['inputs'][0][None].float() / 255
    torch.testing.assert_close(model(clips), clips * model.generator_ema.gain)
    torch.testing.assert_close(build(is_use_ema=False)(clips), clips * 0.5)
    assert not any(parameter.requires_grad for parameter in model.generator_ema.parameters())
    with pytest.raises(LadaError, match='is_use_ema'):
        Runner.model = build(is_use_ema=False)
        hook.before_train(Runner)


@pytest.mark.parametrize(
    'options',
    [
        dict(module_keys='generator'),
        dict(interp_cfg=dict(momentum=0)),
        dict(interp_cfg=dict(speed=1)),
        dict(interp_mode='cubic'),
    ],
)
def test_wrong_settings_of_the_average(options):
    with pytest.raises(LadaError, match='ExponentialMovingAverageHook'):
        ExponentialMovingAverageHook(**(dict(module_keys='generator_ema') | options))


def test_state_dicts_of_mmagic_have_no_step_counter(build):
    model = build()
    state = {key: value for key, value in model.state_dict().items() if key != 'step_counter'}
    model.load_state_dict(state, strict=True)
    model.load_state_dict({**state, 'step_counter': torch.tensor([4.0])}, strict=True)
    assert model.steps_done == 4


def test_generator_of_stage_2(golden):
    net = BasicVSRPlusPlusGanNet(mid_channels=8, num_blocks=1)
    assert not any(parameter.requires_grad for parameter in net.spynet.parameters())
    clip = golden.rnd(1, 1, 2, 3, 256, 256)
    with torch.no_grad():
        assert net(clip).shape == clip.shape
    assert set(
        BasicVSRPlusPlusGanNet(mid_channels=8, num_blocks=1, is_low_res_input=False).state_dict()
    ) == set(net.state_dict())
    with pytest.raises(LadaError, match='is_low_res_input'):
        BasicVSRPlusPlusGanNet(mid_channels=8, is_low_res_input=True)
