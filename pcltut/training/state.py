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
from pcltut.distributed import alone, own_part, own_seed, rank
from pcltut.models import GaussianEncoder, GenerativeModel
from pcltut.samplers import ChainDiverged, ChainState
from pcltut.training import checkpoint as files
from pcltut.training.algorithm import Algorithm
from pcltut.training.checkpoint import CheckpointError
from pcltut.training.fingerprint import fingerprint
from pcltut.training.gradients import Gradients, trained_parameters
from pcltut.training.history import COLUMNS, History, HistoryRecorder
from pcltut.training.inputs import check_arguments
from pcltut.training.processes import average, check_processes, checkpoint_of_all, rows_of_all

MARGIN_EVERY = 50
NUM_PROBES = 200  # of a schedule, when a run is compared with a checkpoint
Rate = float | Callable[[int], float]


@dataclasses.dataclass(eq=False)
class TrainingState:
    """A run between two batches. `init` begins one, `step` takes it on, `save` and `resume` carry it over a stop.

    Each step seeds its own noise from `generator`, so that all algorithms with one seed see the same batches and the
    same start noise. In a group of processes (`pcltut.distributed.joined`) each takes its part of a batch, with noise
    of its own, and gradients are averaged over all images. Any number of processes can go on from a checkpoint.
    """

    algorithm: Algorithm
    model: GenerativeModel
    encoder: GaussianEncoder | None
    data: Images | Tensor = dataclasses.field(repr=False)
    batch_size: int
    rates: tuple[Callable[[int], float], Callable[[int], float]]  # of decoder and encoder, by iteration
    generator: torch.Generator
    optimizers: tuple[torch.optim.Optimizer | None, torch.optim.Optimizer | None]
    iteration: int  # batches done
    moves: int  # batches of which a network has seen at least one step
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
        check_arguments(algorithm, model, encoder, data, generator=generator)
        batch_size = whole_number("batch_size", batch_size)
        check_processes(model, encoder, len(data), batch_size, generator=generator)
        return cls(
            algorithm,
            model,
            encoder,
            data,
            batch_size,
            (
                _schedule(learning_rate),
                _schedule(learning_rate if encoder_learning_rate is None else encoder_learning_rate),
            ),
            generator,
            (_adam(model), _adam(encoder)),
            iteration=0,
            moves=0,
            order=torch.empty(0, dtype=torch.long, device=generator.device),
            chains=_first_chains(model, data, generator=generator) if algorithm.keeps_chains else None,
            recorder=HistoryRecorder(),
        )

    @torch.inference_mode(False)
    @torch.enable_grad()
    def step(self) -> Gradients:
        """Train on the next batch; all gradients of an update are taken before either network moves.

        An error or an interrupt before the first move leaves the run as it was; after it the run is not to go on.

        Raises:
            ChainDiverged: a chain left the finite numbers; the message holds the measured stability margin.
            FloatingPointError: the loss of an algorithm without chains left them.
        """
        self._check_whole()
        before = self.generator.get_state(), self.order
        try:
            return self._step()
        except BaseException:
            if self.moves == self.iteration:
                self.order = before[1]
                self.generator.set_state(before[0])
            raise

    def _step(self) -> Gradients:
        epoch, batch = divmod(self.iteration, self.batches_per_epoch)
        if batch == 0:
            self.order = torch.randperm(len(self.data), generator=self.generator, device=self.generator.device)
        index = self.order[batch * self.batch_size : (batch + 1) * self.batch_size]
        own = own_part(index)
        x, noise = self._images(own), torch.Generator(self.generator.device)
        noise.manual_seed(own_seed(torch.randint(2**62, (), generator=self.generator, device=noise.device).item()))
        start = None if self.chains is None else self.chains[own]
        scale, margin, evaluations, restarts = self.model.likelihood.scale.detach().clone(), math.nan, 0, 0
        updates = self.algorithm.updates(self.model, self.encoder, x, generator=noise, start=start)
        for number, gradients in enumerate(updates):
            self._check_finite(x, gradients)
            gradients = average(gradients, len(own) / len(index))
            if number == 0 and gradients.chain is not None and self.iteration % MARGIN_EVERY == 0:
                margin = self.algorithm.stability_margin(self.model, x, gradients.chain)
            evaluations, restarts = evaluations + gradients.decoder_evaluations, restarts + gradients.num_restarts
            self.moves = self.iteration + 1
            self._move(gradients)
        if self.chains is not None:
            self.chains[index] = rows_of_all(gradients.chain.z, len(index))
        self.recorder.append(
            iteration=self.iteration,
            epoch=epoch,
            loss=gradients.loss,
            log_joint=gradients.log_joint,
            scale=scale,
            decoder_evaluations=evaluations,
            stability_margin=margin,
            acceptance=gradients.acceptance,
            restarts=restarts,
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
        """A copy of all that changes from step to step, by name."""
        tensors = {
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
        return {name: value.detach().clone() for name, value in tensors.items()}

    @torch.inference_mode(False)
    def load_state_dict(self, tensors: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` gave; from there on every bit is that of the other run.

        Raises:
            CheckpointError: it is of other networks, another trained set, or not whole.
        """
        needed = {"iteration", "order", "generator", *(f"history.{name}" for name in COLUMNS)}
        if missing := needed - tensors.keys():
            raise CheckpointError(f"got no {min(missing)}, expected all that state_dict() gives; save it again")
        files.restore_modules({"model": self.model, "encoder": self.encoder}, tensors)
        for optimizer, module, prefix in zip(
            self.optimizers, (self.model, self.encoder), ("optimizer", "encoder_optimizer"), strict=True
        ):
            if optimizer is not None:
                files.restore_optimizer(optimizer, module, prefix, tensors)
        device = self.generator.device
        self.generator.set_state(tensors["generator"])
        self.iteration = self.moves = int(tensors["iteration"])
        self.order = tensors["order"].to(device, copy=True)
        self.chains = tensors["chains"].to(device, copy=True) if self.algorithm.keeps_chains else None
        self.recorder = HistoryRecorder(History(**{name: tensors[f"history.{name}"] for name in COLUMNS}))

    def save(self, path: str | Path) -> None:
        """Write a checkpoint in one step, unless the weights are not finite; of several processes the first does."""
        self.check_weights()
        if rank() == 0:
            files.save_checkpoint(path, self.state_dict(), self._identity(self.iteration))

    def resume(self, path: str | Path) -> bool:
        """Go on from a checkpoint if there is one; False where there is none.

        Raises:
            CheckpointError: the file is damaged, or belongs to a run with other settings, networks or data.
        """
        self._identity(0)  # says at once if these settings could never be compared
        found = checkpoint_of_all(path)
        if found is None:
            return False
        tensors, metadata = found
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

    def _check_whole(self) -> None:
        """Raise ValueError if this run cannot go on: its parameters were exchanged, or a step broke off."""
        for optimizer, module in zip(self.optimizers, (self.model, self.encoder), strict=True):
            known = [] if optimizer is None else optimizer.param_groups[0]["params"]
            if [id(p) for p in known] != [id(p) for p in trained_parameters(module)]:
                raise ValueError(
                    "got other trained parameters than when this run began, expected the same; begin a new "
                    "TrainingState after changing requires_grad"
                )
        if self.moves != self.iteration:
            raise ValueError(
                f"got a run whose step {self.iteration} was interrupted between two moves, expected a whole one; "
                "resume it from its checkpoint, or begin anew"
            )

    def _identity(self, iteration: int) -> dict[str, str]:
        """What a run must share with a checkpoint, taken after `iteration` steps, to go on from it."""
        last = max(iteration - 1, 0)
        probes = sorted({round(last * part / NUM_PROBES) for part in range(NUM_PROBES + 1)})
        shapes = [
            {name: (tuple(parameter.shape), parameter.dtype) for name, parameter in files.trained_names(module).items()}
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
            if not bool(torch.isfinite(self.model.log_joint(x, start)).all()):
                raise FloatingPointError(f"the log-joint left the finite numbers {where}; lower learning_rate")
        with alone():
            margin = self.algorithm.stability_margin(self.model, x, ChainState(start))
        raise ChainDiverged(
            f"a chain left the finite numbers {where} (stability margin {margin:.3g} at its start; below 1 a chain "
            "diverges); lower step_size"
        )


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
