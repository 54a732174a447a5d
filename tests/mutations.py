"""Deliberate mistakes in the samplers and the training, each of which the numerical tests must catch.

    python tests/mutations.py [NAME ...]      (make mutants)

Each mutation is applied to a copy of the package. It counts as killed only if the mutant imports, runs a two-step
`fit`, and then an assertion of a numerical test fails; the unmutated control must pass the same tests. A survivor
makes the command exit with 1. The last line reads `killed N of N`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

TWO_STEP_FIT = """
import torch
from pcltut.models import Gaussian, GenerativeModel, mlp_decoder, mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC, VAE, fit
for algorithm in (
    LPC(2, 1e-3), LPC(2, 1e-3, warm_start="forward"),
    LPC(2, 1e-3, warm_start="jeffreys", preconditioner=RMSPreconditioner()),
    LPC(2, 1e-3, incremental=True),
    LPC(2, 1e-3, warm_start="persistent"), LPC(2, 1e-3, kernel="mala"), LPC.hoffman2017(2, 1e-2, num_leapfrog=2), VAE(),
):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(8, 1, 28, 28, generator=generator) * 2 - 1
    model = GenerativeModel(mlp_decoder(3, (1, 28, 28), hidden=(8,), generator=generator), Gaussian(), 3)
    encoder = mlp_encoder((1, 28, 28), 3, hidden=(8,), generator=generator) if algorithm.uses_encoder else None
    fit(algorithm, model, x, encoder=encoder, generator=generator, num_epochs=1, batch_size=4)
"""


class Mutation(NamedTuple):
    """One mistake: in `file` the text `old`, found exactly once, becomes `new`; `tests` are to notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


# The names begin with the number of the mistake in the list that the suite was designed against.
MUTATIONS = (
    Mutation(
        "01 sqrt(gamma) for sqrt(2 gamma)",
        "samplers/ula.py",
        "score, (2 * step_size * temperature) ** 0.5",
        "score, (step_size * temperature) ** 0.5",
        "test_samplers_ula.py",
    ),
    Mutation(
        "01 2 gamma for sqrt(2 gamma)",
        "samplers/ula.py",
        "score, (2 * step_size * temperature) ** 0.5",
        "score, 2 * step_size * temperature",
        "test_samplers_ula.py",
    ),
    Mutation(
        "02 noise without sqrt(M)",
        "samplers/ula.py",
        "(2 * step_size * temperature * diagonal).sqrt()",
        "(2 * step_size * temperature) ** 0.5",
        "test_samplers_ula.py test_samplers_preconditioners.py",
    ),
    Mutation(
        "03 no prior",
        "models/generative.py",
        "return self.log_prior(z) + self.log_likelihood(x, z)",
        "return self.log_likelihood(x, z)",
        "test_models_linear_gaussian.py",
    ),
    Mutation(
        "04 batch mean for sum inside the chain",
        "training/gradients.py",
        "torch.autograd.grad(values.sum(), (z, *parameters), allow_unused=True)",
        "torch.autograd.grad(values.mean(), (z, *parameters), allow_unused=True)",
        "test_training_gradients.py",
    ),
    Mutation(
        "04 batch mean for sum in value_and_score_of",
        "samplers/kernel.py",
        "return values.sum(), values",
        "return values.mean(), values",
        "test_samplers_run.py test_samplers_ula.py",
    ),
    Mutation(
        "05 one noise vector for the whole batch",
        "samplers/kernel.py",
        "standard_normal(state.z.shape, generator=generator, dtype=state.z.dtype)",
        "standard_normal(state.z[:1].shape, generator=generator, dtype=state.z.dtype).expand_as(state.z)",
        "test_samplers_ula.py",
    ),
    Mutation(
        "06 chain not detached in the forward KL",
        "objectives.py",
        "losses = -q.log_prob(z.detach())",
        "losses = -q.log_prob(z)",
        "test_objectives.py",
    ),
    Mutation(
        "07 bias correction off by one",
        "samplers/preconditioners.py",
        "(1 - self.decay**state.num_updates)",
        "(1 - self.decay ** (state.num_updates + 1))",
        "test_samplers_preconditioners.py",
    ),
    Mutation(
        "08 v updated with the next score",
        "samplers/ula.py",
        "diagonal, memory = preconditioner.update(memory, score)",
        "diagonal, _ = preconditioner.update(memory, score)\n"
        "            memory = preconditioner.update(memory, target(z + step_size * diagonal * score)[1])[1]",
        "test_samplers_preconditioners.py",
    ),
    Mutation(
        "09 forward and reverse losses exchanged",
        "training/lpc.py",
        "        theta, phi = trained_parameters(model), trained_parameters(encoder)\n        q, total",
        "        other = {'forward': 'reverse', 'reverse': 'forward'}.get(self.warm_start, self.warm_start)\n"
        "        self = __import__('copy').copy(self)\n"
        "        object.__setattr__(self, 'warm_start', other)\n"
        "        theta, phi = trained_parameters(model), trained_parameters(encoder)\n        q, total",
        "test_training_encoder.py",
    ),
    Mutation(
        "10 log-variance for log-scale",
        "models/encoders.py",
        "return self.log_scale.exp()",
        "return (0.5 * self.log_scale).exp()",
        "test_models_networks.py",
    ),
    Mutation(
        "11 covariance used as a Cholesky factor",
        "samplers/corrected_ula.py",
        "(root @ noise[..., None])",
        "(covariance @ noise[..., None])",
        "test_samplers_exact.py",
    ),
    Mutation(
        "12 AIS weight at the state after the move",
        "evaluation/annealing.py",
        "        log_weights += abs(betas[index] - betas[index - 1]) * point.gain\n"
        "        if index < len(betas) - 1:\n"
        "            point, acceptance = walk.move(index, point, generator=generator)\n"
        "            acceptances.append(acceptance.mean())\n",
        "        if index < len(betas) - 1:\n"
        "            point, acceptance = walk.move(index, point, generator=generator)\n"
        "            acceptances.append(acceptance.mean())\n"
        "        log_weights += abs(betas[index] - betas[index - 1]) * point.gain\n",
        "test_evaluation_bdmc.py",
    ),
    Mutation(
        "12 AIS weight with the next bridge's width",
        "evaluation/annealing.py",
        "abs(betas[index] - betas[index - 1])",
        "abs(betas[min(index + 1, len(betas) - 1)] - betas[index - 1 if index == len(betas) - 1 else index])",
        "test_evaluation_bdmc.py",
    ),
    Mutation(
        "12 AIS moves on the bridge before",
        "evaluation/annealing.py",
        "beta = self.betas[index]",
        "beta = self.betas[index - 1]",
        "test_evaluation_bdmc.py",
    ),
    Mutation(
        "12 AIS keeps the rejected proposal's gain",
        "samplers/kernel.py",
        "aux = tuple(select(ours, theirs) for ours, theirs in zip(state.aux, other.aux, strict=True))",
        "aux = state.aux",
        "test_evaluation_ais.py",
    ),
    Mutation(
        "12 path bound with the next bridge's score on the way back",
        "evaluation/path_bound.py",
        "moved.score(beta)",
        "moved.score(min(beta + 1 / num_steps, 1.0))",
        "test_evaluation_path_bound.py",
    ),
    Mutation(
        "13 reverse-KL gradient after the decoder's step",
        "training/state.py",
        "            self._move(gradients)\n",
        "            self._move(gradients._replace(encoder=()))\n"
        "            if self.encoder is not None:\n"
        "                noise.manual_seed(noise.initial_seed())\n"
        "                again = self.algorithm.gradients(self.model, self.encoder, x, generator=noise, start=start)\n"
        "                self._move(again._replace(model=()))\n",
        "test_training_gradients.py test_training_fit.py",
    ),
    Mutation(
        "14 decoder receives the encoder's loss gradient",
        "training/lpc.py",
        "                first = info  #",
        "                total.add(info.log_density, joint_target(model, x, theta)(z_0)[2:])\n"
        "                first = info  #",
        "test_training_gradients.py",
    ),
    Mutation(
        "15 theta-gradient at MALA's proposals",
        "training/lpc.py",
        "look_at(with_theta, state.z)",
        "look_at(with_theta, info.z + self._step_size(model) * info.score)",
        "test_training_metropolis.py",
    ),
    Mutation(
        "16 acceptance ratio with the forward score at both ends",
        "samplers/mala.py",
        "diagonal * proposal.score",
        "diagonal * state.score",
        "test_samplers_exact.py",
    ),
    Mutation(
        "17 Metropolis test without the forward move's density",
        "samplers/mala.py",
        "0.5 * (noise.normal.square() - back.square() / variance)",
        "-0.5 * (back.square() / variance)",
        "test_samplers_exact.py",
    ),
    Mutation(
        "18 full kick at the end of HMC's leapfrog",
        "samplers/hmc.py",
        "            log_density, score, aux = evaluate(target, z)\n            momentum = momentum + 0.5 * stride",
        "            log_density, score, aux = evaluate(target, z)\n            momentum = momentum + stride",
        "test_samplers_exact.py",
    ),
    Mutation(
        "19 temperature left out of the noise",
        "samplers/ula.py",
        "score, (2 * step_size * temperature) ** 0.5",
        "score, (2 * step_size) ** 0.5",
        "test_samplers_ula.py",
    ),
    Mutation(
        "20 persistent chains not written back",
        "training/state.py",
        "self.chains[index] = rows_of_all(gradients.chain.z, len(index))",
        "self.chains[index] = self.chains[index]",
        "test_training_persistent.py",
    ),
    Mutation(
        "21 entropy left out of the reverse KL",
        "training/gradients.py",
        "inflow += [first_score, torch.ones_like(outputs[-1])]",
        "inflow += [first_score, torch.zeros_like(outputs[-1])]",
        "test_training_gradients.py",
    ),
    Mutation(
        "22 half of the states for all",
        "training/lpc.py",
        '{"all": 0,',
        '{"all": self.num_steps // 2,',
        "test_training_gradients.py",
    ),
    Mutation(
        "25 incremental theta-gradients that pile up",
        "training/gradients.py",
        "        self.num_terms = 0\n        return self.total\n",
        "        return self.total\n",
        "test_training_incremental.py",
    ),
    Mutation(
        "26 incremental encoder's gradient from the chain's last score",
        "training/lpc.py",
        "reverse = total.log_joint(), first.score if",
        "reverse = total.log_joint(), info.score if",
        "test_training_incremental.py",
    ),
    Mutation(
        "23 moments restored by position",
        "training/checkpoint.py",
        "    for name, slots in found.items():\n        parameter = parameters[name]\n",
        "    for parameter, slots in zip(parameters.values(), found.values(), strict=True):\n",
        "test_training_faults.py",
    ),
    Mutation(
        "24 all chains restarted with one",
        "samplers/chain.py",
        "select_chains(finite, state, start)",
        "select_chains(finite.all().expand_as(finite), state, start)",
        "test_samplers_exact.py",
    ),
    Mutation(
        "17 processes' gradients averaged by process, not by image",
        "training/processes.py",
        "(mean * share for mean in means)",
        "(mean / world_size() for mean in means)",
        "test_distributed.py",
    ),
    Mutation(
        "17 processes' gradients summed without their shares",
        "training/processes.py",
        "(mean * share for mean in means)",
        "means",
        "test_distributed.py",
    ),
    Mutation(
        "17 one process left out of the sum",
        "distributed.py",
        "        dist.all_reduce(flat)\n",
        "        flat *= rank() != 1\n        dist.all_reduce(flat)\n",
        "test_distributed.py",
    ),
    Mutation(
        "17 processes with the same noise",
        "distributed.py",
        "    if rank() == 0:\n        return seed\n",
        "    return seed\n",
        "test_distributed.py",
    ),
    Mutation(
        "18 outer products of a layer that is called twice: the last alone",
        "training/outer_products.py",
        "ctx.factors.append(OuterProduct(rows, input.detach().reshape(len(rows), -1)))",
        "ctx.factors[:] = [OuterProduct(rows, input.detach().reshape(len(rows), -1))]",
        "test_training_outer_products.py",
    ),
)


def outcome(mutation: Mutation | None, tests: str) -> tuple[bool, str]:
    """Whether the tests notice a mutation (None: the control), and what happened."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "pcltut", root / "pcltut", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        if mutation is not None:
            path = root / "pcltut" / mutation.file
            text = path.read_text(encoding="utf-8")
            if text.count(mutation.old) != 1:
                return False, f"the text to change stands {text.count(mutation.old)} times in {mutation.file}, not once"
            path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": folder, "OMP_NUM_THREADS": "1", "PCLTUT_PROGRESS": "0"}
        run = subprocess.run(
            [sys.executable, "-c", TWO_STEP_FIT], cwd=folder, env=environment, capture_output=True, text=True
        )
        if run.returncode:
            return False, "a two-step fit fails: " + run.stderr.strip().splitlines()[-1]
        report = root / "report.xml"
        files = [str(root / "tests" / name) for name in tests.split()]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += ["-x"] if mutation else []
        run = subprocess.run([*command, *files], cwd=folder, env=environment, capture_output=True, text=True)
        if run.returncode == 0:
            return False, "all tests pass"
        if not report.exists():
            return False, "the tests do not run: " + (run.stdout + run.stderr).strip()[-300:]
        for case in ElementTree.parse(report).iter("testcase"):
            failure = case.find("failure")
            if failure is not None and failure.get("message", "").startswith(("assert", "AssertionError")):
                return True, case.get("name")
        return False, "a test fails, but not by an assertion"


def main() -> int:
    """Run the control and the mutations, two at a time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="mutations whose name begins so; all if none is given")
    names = parser.parse_args().names
    chosen = [m for m in MUTATIONS if not names or m.name.startswith(tuple(names))]
    if not chosen:
        print(f"got {names}, expected the beginning of one of: " + "; ".join(m.name for m in MUTATIONS))
        return 2
    control = " ".join(sorted({name for mutation in chosen for name in mutation.tests.split()}))
    with ThreadPoolExecutor(2) as pool:
        unmutated = pool.submit(outcome, None, control)
        results = [pool.submit(outcome, mutation, mutation.tests) for mutation in chosen]
        killed = 0
        for mutation, result in zip(chosen, results, strict=True):
            is_killed, reason = result.result()
            killed += is_killed
            print(f"{'killed  ' if is_killed else 'SURVIVED'} {mutation.name}: {reason}", flush=True)
        _, reason = unmutated.result()
    passes = reason == "all tests pass"
    print(f"control: {reason}")
    print(f"killed {killed} of {len(chosen)}")
    return 0 if passes and killed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
