"""How a training step scales over processes on this machine, beside what the plan in setup.md predicts.

    python tests/bench/scaling.py [--processes 1 2 4] [--steps 1 10]

Strong scaling: one global batch, one thread a process. Each round starts nothing anew: for each number of processes one
job runs, and the jobs take turns. Predicted is `t_1 / N` and the exchanges: one all-reduce of as many numbers as both
networks have, in incremental LPC one for each state, and for a shared M one small one for each state. Where there are
more processes than cores, N is the number of cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from pcltut.distributed import joined, rank, sum_over_processes
from pcltut.experiments import Run, Setting
from pcltut.files import package_commit
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC

ROOT = Path(__file__).resolve().parents[2]
SETTING = Setting(hidden=(512, 512), batch_size=250)
ROUNDS, STEPS_A_ROUND = 5, 6
ALL, SMALL = "all-reduce of all weights", "all-reduce of M"


def algorithms(num_steps: int) -> dict[str, LPC]:
    """The rows of the table: what else is exchanged within a step."""
    return {
        "plain": LPC(num_steps, 1e-4),
        "M of each process": LPC(num_steps, 1e-2, preconditioner=RMSPreconditioner(share="process")),
        "M of all processes": LPC(num_steps, 1e-2, preconditioner=RMSPreconditioner(share="batch")),
        "incremental": LPC(num_steps, 1e-4, incremental=True),
    }


def work(steps: list[int]) -> None:
    """One process: median seconds a step of each row, and of an all-reduce; the first prints them."""
    torch.set_num_threads(1)
    with joined("cpu"):
        found = {}
        for num_steps in steps:
            for name, algorithm in algorithms(num_steps).items():
                run = Run(SETTING, "lpc", {"num_steps": num_steps, "step_size": 1e-4}, seed=0)
                state = run.build()
                state.algorithm = algorithm
                found[f"{name}, T = {num_steps}"] = median_seconds(state.step)
        numbers = sum(p.numel() for module in (state.model, state.encoder) for p in module.parameters())
        buffer = torch.zeros(numbers)
        found[ALL] = median_seconds(lambda: sum_over_processes([buffer]))
        found[SMALL] = median_seconds(lambda: sum_over_processes([buffer[: SETTING.latent_dim + 1]]))
        if rank() == 0:
            print(json.dumps({"seconds": found, "numbers": numbers}))


def median_seconds(step) -> float:
    times = []
    step()
    for _ in range(STEPS_A_ROUND):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10], help="lengths T of the chains")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.steps)
        return
    found: dict[int, list[dict[str, float]]] = {num: [] for num in options.processes}
    for _ in range(options.rounds):
        for num in options.processes:
            found[num].append(job(num, options.steps))
    cores, alone = os.cpu_count() or 1, min(options.processes)
    print(f"commit {package_commit()}, {cores} cores, load {os.getloadavg()[0]:.2f}, {options.rounds} rounds")
    print(f"{'row':32s}" + "".join(f"{f'N = {num}: ms, speed-up, predicted':>36s}" for num in options.processes))
    for row in found[alone][0]:
        cells = []
        for num in options.processes:
            seconds = statistics.median(each[row] for each in found[num])
            ratio = statistics.median(a[row] / b[row] for a, b in zip(found[alone], found[num], strict=True))
            base = statistics.median(each[row] for each in found[alone])
            predicted = base / (base / min(num, cores) + statistics.median(exchange(row, each) for each in found[num]))
            cells.append(
                f"{1e3 * seconds:.1f}" if row in (ALL, SMALL) else f"{1e3 * seconds:.1f}, {ratio:.2f}, {predicted:.2f}"
            )
        print(f"{row:32s}" + "".join(f"{cell:>36s}" for cell in cells))


def exchange(row: str, seconds: dict[str, float]) -> float:
    """Seconds that a step of a row spends on what the processes exchange."""
    num_steps = int(row.rpartition(" ")[2]) if row not in (ALL, SMALL) else 0
    if row.startswith("incremental"):
        return (num_steps + 1) / 2 * seconds[ALL]  # the decoder's at each state, the encoder's once; of one size here
    return seconds[ALL] + (num_steps * seconds[SMALL] if row.startswith("M of all") else 0.0)


def job(num: int, steps: list[int]) -> dict[str, float]:
    """One job of that many processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={num}", __file__]
    command += ["--work", "--steps", *map(str, steps)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)["seconds"]


if __name__ == "__main__":
    main()
