"""Peak memory of a training step, each in a process of its own, and its growth with the chain."""

import json
import subprocess
import sys
from collections.abc import Iterator

from pcltut.bench.problems import SHAPES
from pcltut.bench.table import Row

GROWTH_GOAL = 1.05
LENGTHS = (10, 200)
SCRIPT = """
import json, resource, sys
import torch
from pcltut.bench.problems import problems
from pcltut.bench.training import ROWS, updates
import dataclasses
place, name, num_steps, device = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(1)
problem = problems(device)[place]
work = updates(problem, dataclasses.replace(ROWS[name], num_steps=num_steps))
work()
if device.startswith("cuda"):
    print(torch.cuda.max_memory_allocated())
else:
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(threads: int, rounds: int, device: str) -> Iterator[Row]:
    """The peak with chains of 200 steps beside that with 10; on the processor that of the whole process."""
    for place, (problem, *_) in enumerate(SHAPES):
        for name in ("plain", "incremental"):
            peaks = [_peak(place, name, length, device) for length in LENGTHS]
            note = ", ".join(
                f"T = {length}: {peak / 2**20:.0f} MiB" for length, peak in zip(LENGTHS, peaks, strict=True)
            )
            yield Row("h", f"{problem}, {name}", threads, peaks[1] / peaks[0], GROWTH_GOAL, note=note)


def _peak(place: int, name: str, length: int, device: str) -> int:
    command = [sys.executable, "-c", SCRIPT, str(place), name, str(length), device]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout.splitlines()[-1]))
