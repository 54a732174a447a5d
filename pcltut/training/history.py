"""What happened in each iteration of a training run."""

import dataclasses

import torch
from torch import Tensor

COLUMNS = (
    "iteration",
    "epoch",
    "loss",
    "log_joint",
    "scale",
    "decoder_evaluations",
    "stability_margin",
    "acceptance",
    "restarts",
)
CUMULATIVE = ("decoder_evaluations", "restarts")


@dataclasses.dataclass(frozen=True)
class History:
    """One entry for each iteration, as 1-D float64 tensors on the CPU.

    `loss`: minus the ELBO at the encoder's draw (for IWAE minus its bound; without an encoder minus the mean log-joint
    of the states used), nats an image. `log_joint`: its mean over the states that taught the decoder. `scale`: sigma of
    the likelihood before the update. `decoder_evaluations`: passes of a batch through the decoder, cumulative.
    `stability_margin`: the chain's estimated margin where it was measured, NaN elsewhere. `acceptance`: the chain's
    mean acceptance probability, NaN without a Metropolis test. `restarts`: diverged chains that were started again,
    cumulative.
    """

    iteration: Tensor
    epoch: Tensor
    loss: Tensor
    log_joint: Tensor
    scale: Tensor
    decoder_evaluations: Tensor
    stability_margin: Tensor
    acceptance: Tensor
    restarts: Tensor

    def __len__(self) -> int:
        return len(self.iteration)

    def columns(self) -> dict[str, Tensor]:
        """Name and values of each column."""
        return {name: getattr(self, name) for name in COLUMNS}

    def last_stability_margin(self) -> float:
        """The latest margin that was measured; NaN if none was."""
        measured = self.stability_margin[~self.stability_margin.isnan()]
        return measured[-1].item() if len(measured) else float("nan")

    def status(self) -> str:
        """Loss, sigma, decoder evaluations and the chain's health in the last iteration, for a progress bar."""
        parts = [
            f"loss {self.loss[-1]:.1f}",
            f"sigma {self.scale[-1]:.3f}",
            f"evaluations {int(self.decoder_evaluations[-1])}",
        ]
        if not self.stability_margin.isnan().all():
            parts.append(f"margin {self.last_stability_margin():.1f}")
        if not self.acceptance[-1].isnan():
            parts.append(f"acceptance {self.acceptance[-1]:.2f}")
        if self.restarts[-1] > 0:
            parts.append(f"restarts {int(self.restarts[-1])}")
        return ", ".join(parts)

    def summary(self) -> str:
        """The state at the end, in one line."""
        if len(self) == 0:
            return "no iterations"
        return f"iteration {int(self.iteration[-1]) + 1}, epoch {int(self.epoch[-1]) + 1}: {self.status()}"


class HistoryRecorder:
    """Collects rows while training runs; values stay tensors on their device until they are asked for."""

    def __init__(self, history: History | None = None) -> None:
        self.done = history.columns() if history else {name: torch.empty(0, dtype=torch.float64) for name in COLUMNS}
        self.rows: list[tuple[Tensor | float | int, ...]] = []
        totals = [self.done[name][-1:].tolist() for name in CUMULATIVE]
        self.totals = [int(last[0]) if last else 0 for last in totals]

    def append(self, **row: Tensor | float | int) -> None:
        """Add one iteration; what is cumulative is given for this iteration alone."""
        self.totals = [total + row[name] for total, name in zip(self.totals, CUMULATIVE, strict=True)]
        row |= dict(zip(CUMULATIVE, self.totals, strict=True))
        self.rows.append(tuple(row[name] for name in COLUMNS))

    def history(self) -> History:
        """Everything so far."""
        if self.rows:
            for name, values in zip(COLUMNS, zip(*self.rows, strict=True), strict=True):
                new = torch.tensor([float(value) for value in values], dtype=torch.float64)
                self.done[name] = torch.cat([self.done[name], new])
            self.rows.clear()
        return History(**self.done)
