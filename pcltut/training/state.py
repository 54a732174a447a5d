"""Where a training run stands, and the step that takes it one batch on."""

import dataclasses
import functools
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from pcltut.arguments import real_number, whole_number
from pcltut.data import Images
from pcltut.files import expanded
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainDiverged, ChainState
from pcltut.training import checkpoint as files
from pcltut.training.algorithm import Algorithm
from pcltut.training.checkpoint import CheckpointError, fingerprint
from pcltut.training.gradients import Gradients, trained_parameters
from pcltut.training.history import COLUMNS, History, HistoryRecorder

MARGIN_EVERY = 50
Rate = float | Callable[[int], float]


@dataclasses.dataclass(eq=False)
class TrainingState:
    """A run between two batches. `init` begins one, `step` takes it on, `save` and `resume` carry it over a stop.

    Each step seeds its own noise from `generator`, so that all algorithms with one seed see the same batches and the
    same start noise.
    """

    algorithm: Algorithm
    model: GenerativeModel
    encoder: GaussianEncoder | None
    data: Images | Tensor
    batch_size: int
    rates: tuple[Callable[[int], float], Callable[[int], float]]  # of decoder and encoder, by iteration
    generator: torch.Generator
    optimizers: tuple[torch.optim.Optimizer | None, torch.optim.Optimizer | None]
    iteration: int
    order: Tensor  # of the images in this epoch
    chains: Tensor | None  # where each image's chain goes on
    recorder: HistoryRecorder

    @classmethod
    def init(
        cls,
        algorithm: Algorithm,
        model: GenerativeModel,
        data: Images | Tensor,
        *,
        generator: torch.Generator,
        encoder: GaussianEncoder | None = None,
        batch_size: int = 250,
        learning_rate: Rate = 1e-3,
        encoder_learning_rate: Rate | None = None,
    ) -> "TrainingState":
        """A run at its beginning; arguments as in `pcltut.training.fit`."""
        _check_arguments(algorithm, model, encoder, data, generator=generator)
        return cls(
            algorithm,
            model,
            encoder,
            data,
            whole_number("batch_size", batch_size),
            (
                _schedule(learning_rate),
                _schedule(learning_rate if encoder_learning_rate is None else encoder_learning_rate),
            ),
            generator,
            (_adam(model), _adam(encoder)),
            iteration=0,
            order=torch.empty(0, dtype=torch.long, device=generator.device),
            chains=_first_chains(model, data, generator=generator) if algorithm.keeps_chains else None,
            recorder=HistoryRecorder(),
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def step(self) -> Gradients:
        """Train on the next batch; all gradients of an update are taken before either network moves.

        Raises:
            ChainDiverged: a chain left the finite numbers; the message holds the measured stability margin.
            FloatingPointError: the loss of an algorithm without chains left them.
        """
        epoch, batch = divmod(self.iteration, self.batches_per_epoch)
        if batch == 0:
            self.order = torch.randperm(len(self.data), generator=self.generator, device=self.generator.device)
        index = self.order[batch * self.batch_size : (batch + 1) * self.batch_size]
        x, noise = self._images(index), torch.Generator(self.generator.device)
        noise.manual_seed(torch.randint(2**62, (), generator=self.generator, device=noise.device).item())
        start = None if self.chains is None else self.chains[index]
        scale, margin = self.model.likelihood.scale.detach().clone(), math.nan
        updates = self.algorithm.updates(self.model, self.encoder, x, generator=noise, start=start)
        for number, gradients in enumerate(updates):
            self._check_finite(x, gradients)
            if number == 0 and gradients.chain is not None and self.iteration % MARGIN_EVERY == 0:
                margin = self.algorithm.stability_margin(self.model, x, gradients.chain)
            self.recorder.count(gradients.decoder_evaluations, gradients.num_restarts)
            self._move(gradients)
        if self.chains is not None:
            self.chains[index] = gradients.chain.z
        self.recorder.append(
            iteration=self.iteration,
            epoch=epoch,
            loss=gradients.loss,
            log_joint=gradients.log_joint,
            scale=scale,
            stability_margin=margin,
            acceptance=gradients.acceptance,
        )
        self.iteration += 1
        return gradients

    @property
    def batches_per_epoch(self) -> int:
        """Steps that see each image once."""
        return math.ceil(len(self.data) / self.batch_size)

    @property
    def history(self) -> History:
        """Everything recorded so far."""
        return self.recorder.history()

    def state_dict(self) -> dict[str, Tensor]:
        """All that changes from step to step, by name."""
        return {
            "iteration": torch.tensor(self.iteration),
            "order": self.order,
            "generator": self.generator.get_state(),
            **({} if self.chains is None else {"chains": self.chains}),
            **{f"history.{name}": values for name, values in self.history.columns().items()},
            **files.module_tensors(self.model, "model"),
            **files.module_tensors(self.encoder, "encoder"),
            **files.optimizer_tensors(self.optimizers[0], self.model, "optimizer"),
            **files.optimizer_tensors(self.optimizers[1], self.encoder, "encoder_optimizer"),
        }

    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave; from there on every bit is that of the other run."""
        files.restore_module(self.model, "model", tensors)
        if self.encoder is not None:
            files.restore_module(self.encoder, "encoder", tensors)
        for optimizer, module, prefix in zip(
            self.optimizers, (self.model, self.encoder), ("optimizer", "encoder_optimizer"), strict=True
        ):
            if optimizer is not None:
                files.restore_optimizer(optimizer, module, prefix, tensors)
        device = self.generator.device
        self.generator.set_state(tensors["generator"])
        self.iteration, self.order = int(tensors["iteration"]), tensors["order"].to(device, copy=True)
        self.chains = tensors["chains"].to(device, copy=True) if self.algorithm.keeps_chains else None
        self.recorder = HistoryRecorder(History(**{name: tensors[f"history.{name}"] for name in COLUMNS}))

    def save(self, path: str | Path) -> None:
        """Write a checkpoint in one step, unless the weights are not finite."""
        self.check_weights()
        files.save_checkpoint(path, self.state_dict(), self._identity(self.iteration))

    def resume(self, path: str | Path) -> bool:
        """Go on from a checkpoint if there is one; False where there is none.

        Raises:
            CheckpointError: the file is damaged, or belongs to a run with other settings, networks or data.
        """
        if not expanded(path).exists():
            return False
        tensors, metadata = files.load_checkpoint(path)
        for name, expected in self._identity(int(tensors.get("iteration", 0))).items():
            if metadata.get(name) != expected:
                raise CheckpointError(
                    f"got a checkpoint {path} with {name} {metadata.get(name)}, expected {expected}; go on with the "
                    "same settings, or choose another path"
                )
        self.load_state_dict(tensors)
        return True

    def check_weights(self) -> None:
        """Raise FloatingPointError if the last step took a weight out of the finite numbers."""
        modules = [module for module in (self.model, self.encoder) if module is not None]
        if not all(bool(torch.isfinite(value).all()) for module in modules for value in module.parameters()):
            raise FloatingPointError(
                f"the weights left the finite numbers before iteration {self.iteration} of {self.algorithm}; "
                "lower learning_rate"
            )

    def _identity(self, iteration: int) -> dict[str, str]:
        """What a run must share with a checkpoint, taken after `iteration` steps, to go on from it."""
        probes = sorted({0, iteration // 2, max(iteration - 1, 0)})
        shapes = [
            {name: tuple(parameter.shape) for name, parameter in files.trained_names(module).items()}
            for module in (self.model, self.encoder)
        ]
        return {
            "algorithm": fingerprint(self.algorithm),
            "batch_size": str(self.batch_size),
            "learning_rate": fingerprint([self.rates[0](probe) for probe in probes]),
            "encoder_learning_rate": fingerprint([self.rates[1](probe) for probe in probes]),
            "trained parameters": fingerprint(shapes),
            "data": self._data_fingerprint,
        }

    @functools.cached_property
    def _data_fingerprint(self) -> str:
        return fingerprint(self.data.pixels if isinstance(self.data, Images) else self.data)

    def _images(self, index: Tensor) -> Tensor:
        """A batch as the model sees it."""
        data = self.data[index]
        return data.as_float().to(self.model.dtype) if isinstance(data, Images) else data

    def _move(self, gradients: Gradients) -> None:
        """One step of each optimizer that has a gradient."""
        both = zip(self.optimizers, (self.model, self.encoder), gradients[:2], self.rates, strict=True)
        for optimizer, module, descent, rate in both:
            if optimizer is None or not descent:
                continue
            for parameter, gradient in zip(trained_parameters(module), descent, strict=True):
                parameter.grad = gradient
            optimizer.param_groups[0]["lr"] = rate(self.iteration)
            optimizer.step()
            optimizer.zero_grad()

    def _check_finite(self, x: Tensor, gradients: Gradients) -> None:
        finite = torch.isfinite(gradients.loss) & torch.isfinite(gradients.log_joint)
        if gradients.chain is not None:
            finite = finite & torch.isfinite(gradients.chain.z).all()
        if bool(finite):
            return
        where = f"in iteration {self.iteration} of {self.algorithm}"
        if gradients.chain is None:
            raise FloatingPointError(f"the loss left the finite numbers {where}; lower learning_rate")
        with torch.no_grad():
            generator = torch.Generator(x.device).manual_seed(0)
            q = None if self.encoder is None else self.encoder(x)
            start = self.model.sample_prior(len(x), generator=generator) if q is None else q.mean
        margin = self.algorithm.stability_margin(self.model, x, ChainState(start))
        raise ChainDiverged(
            f"a chain left the finite numbers {where} (stability margin {margin:.3g} at its start; below 1 a chain "
            "diverges); lower step_size"
        )


def _check_arguments(
    algorithm: Algorithm,
    model: GenerativeModel,
    encoder: nn.Module | None,
    data: Images | Tensor,
    *,
    generator: torch.Generator,
) -> None:
    if not trained_parameters(model):
        raise ValueError("got a model without trained parameters, expected at least one; set requires_grad on them")
    if any(parameter.is_inference() for parameter in (*trained_parameters(model), *trained_parameters(encoder))):
        raise ValueError("got weights made in inference_mode, expected ordinary ones; build the networks outside of it")
    if algorithm.uses_encoder and encoder is None:
        raise ValueError(f"got no encoder, expected one for {algorithm}; pass encoder=mlp_encoder(...)")
    if not algorithm.uses_encoder and encoder is not None:
        raise ValueError(f"got an encoder, expected none for {algorithm}; leave it out (it would not be trained)")
    if isinstance(data, Images | Tensor) and len(data) == 0:
        raise ValueError("got no data, expected at least one image; pass a split that is not empty")
    model.check_data(data[:1].as_float().to(model.dtype) if isinstance(data, Images) else data)
    devices = {"model": next(model.parameters()).device, "data": data.device, "generator": generator.device}
    if len({device.type for device in devices.values()}) > 1:
        found = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"got {found}, expected one device; move them with .to(device) or Generator(device)")


def _first_chains(model: GenerativeModel, data: Images | Tensor, *, generator: torch.Generator) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return model.sample_prior(len(data), generator=generator)


def _adam(module: nn.Module | None) -> torch.optim.Optimizer | None:
    parameters = trained_parameters(module)
    return torch.optim.Adam(parameters, fused=True) if parameters else None


def _schedule(learning_rate: Rate) -> Callable[[int], float]:
    if callable(learning_rate):
        return learning_rate
    rate = real_number("learning_rate", learning_rate, at_least=0.0, remedy="try 1e-3")
    return lambda iteration: rate
