"""The IWAE's update against the importance-weighted gradient written by hand, and against the VAE's."""

import itertools

import torch
from oracles import assert_mean, close, seeded
from test_training_gradients import images, networks

from pcltut.training import IWAE, VAE


def test_decoder_gradient_is_the_weighted_mean_of_the_draws_own():
    """Self-normalized weights p(x, z) / q(z | x) on each draw's gradient of the log-joint (Burda et al., eq. 14)."""
    (model, encoder), x, num_samples = networks(), images(), 5
    actual = IWAE(num_samples).gradients(model, encoder, x, generator=seeded(4))
    q = encoder(x)
    z = (q.mean + q.scale * torch.randn(num_samples, len(x), 3, generator=seeded(4), dtype=x.dtype)).detach()
    density = torch.distributions.Normal(q.mean, q.scale).log_prob(z).sum(-1)
    log_joint = model.log_joint(x, z)
    weights = (log_joint - density).softmax(0).detach()
    expected = torch.autograd.grad(-(weights * log_joint).sum(0).mean(), list(model.parameters()))
    for a, e in zip(actual.model, expected, strict=True):
        close(a, e)
    close(actual.loss, -(log_joint - density).exp().mean(0).log().mean().detach())
    close(actual.log_joint, log_joint.mean().detach())
    assert actual.decoder_evaluations == num_samples


def test_with_one_draw_it_is_the_vae_but_for_the_entropys_noise():
    """The decoder's gradient is the same to the last digits, the encoder's and the loss in the mean."""
    (model, encoder), x = networks(), images()
    one, vae = (algorithm.gradients(model, encoder, x, generator=seeded(5)) for algorithm in (IWAE(1), VAE()))
    for a, e in zip(one.model, vae.model, strict=True):
        close(a, e)
    differences = []
    for seed in range(400):
        one, vae = (algorithm.gradients(model, encoder, x, generator=seeded(seed)) for algorithm in (IWAE(1), VAE()))
        bias = [(a - e)[..., :1].flatten() for a, e in zip(one.encoder, vae.encoder, strict=True)]
        differences.append(torch.cat([*bias, (one.loss - vae.loss)[None]]))
    assert_mean(torch.stack(differences), 0.0)


def test_more_draws_give_a_smaller_loss():
    (model, encoder), x = networks(), images()
    losses = [
        torch.stack([IWAE(k).gradients(model, encoder, x, generator=seeded(seed)).loss for seed in range(100)])
        for k in (1, 4, 16)
    ]
    for fewer, more in itertools.pairwise(losses):
        gain = fewer - more
        assert gain.mean() > 4.5 * gain.std() / 10
