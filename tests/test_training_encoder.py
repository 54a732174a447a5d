"""What the three encoder losses do: their gradients along the chain, and where they end, against closed forms."""

import pytest
import torch
from oracles import close, normal, seeded
from torch import nn

from pcltut.models import DiagonalGaussian, GaussianEncoder, LinearGaussian
from pcltut.objectives import forward_kl_loss, jeffreys_loss, reverse_kl_loss
from pcltut.training import LPC, fit

STEP_SIZE = 0.01


def correlated_model() -> LinearGaussian:
    """A posterior in two dimensions with variances .1 and correlation .9, whatever x is."""
    covariance = torch.tensor([[0.1, 0.09], [0.09, 0.1]], dtype=torch.float64)
    root = torch.linalg.cholesky(torch.linalg.inv(covariance) - torch.eye(2, dtype=torch.float64))
    return LinearGaussian(root.T)


def linear_encoder(latent: int, observed: int) -> GaussianEncoder:
    network = nn.Linear(observed, 2 * latent, dtype=torch.float64, device="meta").to_empty(device="cpu")
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3, generator=seeded(3))
    return GaussianEncoder(network, latent)


def replayed_chain(model, q, x, num_steps, generator) -> torch.Tensor:
    """z_0 .. z_T of an LPC chain by hand, on the same noise."""
    z = [q.sample(torch.randn(q.mean.shape, generator=generator, dtype=torch.float64)).detach()]
    mean, _ = model.posterior(x)
    for _ in range(num_steps):
        noise = torch.randn(z[-1].shape, generator=generator, dtype=torch.float64)
        score = -(z[-1] - mean) @ model.posterior_precision()
        z.append((z[-1] + STEP_SIZE * score + (2 * STEP_SIZE) ** 0.5 * noise).detach())
    return torch.stack(z)


@pytest.mark.parametrize("states", ["all", "last", "after-burn-in"])
@pytest.mark.parametrize("warm_start", ["reverse", "forward", "jeffreys"])
def test_the_gradient_is_that_of_the_named_loss(warm_start, states):
    model, encoder, x = correlated_model(), linear_encoder(2, 2), normal(9, 2, seed=1)
    algorithm = LPC(6, STEP_SIZE, warm_start=warm_start, encoder_states=states)
    gradients = algorithm.gradients(model, encoder, x, generator=seeded(5))

    q, generator = encoder(x), seeded(5)
    z = replayed_chain(model, q, x, 6, generator)
    noise = torch.randn(9, 2, generator=seeded(5), dtype=torch.float64)[None]
    fitted = {"all": z[1:], "last": z[-1:], "after-burn-in": z[4:]}[states]
    loss = {
        "reverse": lambda: reverse_kl_loss(model, x, q, noise),
        "forward": lambda: forward_kl_loss(q, fitted),
        "jeffreys": lambda: jeffreys_loss(model, x, q, noise, fitted),
    }[warm_start]()
    expected = torch.autograd.grad(loss.mean(), list(encoder.parameters()))
    for actual, value in zip(gradients.encoder, expected, strict=True):
        close(actual, value)


def fitted_variances(warm_start: str, num_steps: int) -> torch.Tensor:
    """The encoder's variances after training on one image with the decoder held still; they begin at exp(-3) = 0.05."""
    model, encoder = correlated_model(), linear_encoder(2, 2)
    nn.init.constant_(encoder.network.bias[2:], -1.5)
    x = torch.tensor([[0.5, -1.0]], dtype=torch.float64).expand(1000, -1)

    def rate(iteration: int) -> float:
        return 0.05 * 0.98**iteration

    fit(
        LPC(num_steps, STEP_SIZE, warm_start=warm_start),
        model,
        x,
        encoder=encoder,
        generator=seeded(6),
        num_epochs=300,
        batch_size=1000,
        learning_rate=0.0,
        encoder_learning_rate=rate,
    )
    return encoder(x[:1]).scale[0].detach().square()


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [1, 10])
def test_forward_kl_fits_the_law_of_its_own_chain(num_steps):
    """The fixed point D = diag(mean_t P_t(D)) of the covariance recursion: short chains stay near 1 / Lambda_ii."""
    model, fixed_point = correlated_model(), torch.eye(2, dtype=torch.float64)
    for _ in range(200):
        covariances, last = [], fixed_point
        for _ in range(num_steps):
            last = model.ula_covariance_after(1, STEP_SIZE, last)
            covariances.append(last)
        fixed_point = torch.stack(covariances).mean(0).diagonal().diag().detach()
    assert abs(fixed_point[0, 0] - {1: 0.036, 10: 0.072}[num_steps]) < 0.0005
    fitted = fitted_variances("forward", num_steps)
    torch.testing.assert_close(fitted, fixed_point.diagonal(), rtol=0.03, atol=0)


@pytest.mark.slow
def test_reverse_kl_finds_the_inverse_of_the_precision():
    precision = correlated_model().posterior_precision().diagonal().detach()
    torch.testing.assert_close(fitted_variances("reverse", 1), 1 / precision, rtol=0.03, atol=0)


@pytest.mark.parametrize("name", ["forward", "jeffreys"])
def test_losses_on_exact_samples_end_where_the_closed_form_says(name):
    """S_ii for the forward KL, sqrt(S_ii / Lambda_ii) for Jeffreys, the mean m for both."""
    model = correlated_model()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    mean, covariance = model.posterior(x)
    precision = model.posterior_precision()
    z = normal(40000, 1, 2, seed=7)
    z = z - z.mean(0)
    z = z @ torch.linalg.cholesky(torch.linalg.inv(z[:, 0].T @ z[:, 0] / len(z))) @ torch.linalg.cholesky(covariance).T
    noise = normal(400, 1, 2, seed=8)
    noise = noise - noise.mean(0)
    noise = noise @ torch.linalg.cholesky(torch.linalg.inv(noise[:, 0].T @ noise[:, 0] / len(noise)))
    location = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    log_scale = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([location, log_scale], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        q = DiagonalGaussian(location, log_scale)
        draws = z + mean
        loss = forward_kl_loss(q, draws) if name == "forward" else jeffreys_loss(model, x, q, noise, draws)
        loss.sum().backward()
        return loss.sum()

    optimizer.step(closure)
    variance = {"forward": covariance.diagonal(), "jeffreys": (covariance.diagonal() / precision.diagonal()).sqrt()}
    close(location[0], mean[0], 1e-4)
    close(log_scale[0].exp().square(), variance[name], 1e-3)


def test_no_gradient_flows_into_the_samples():
    q = DiagonalGaussian(torch.zeros(3, 2, requires_grad=True), torch.zeros(3, 2))
    z = torch.ones(4, 3, 2, requires_grad=True)
    forward_kl_loss(q, 2 * z).sum().backward()
    assert z.grad is None and q.mean.grad is not None
