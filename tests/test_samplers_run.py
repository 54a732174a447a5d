"""The loop: T steps are T runs of one, what a trace holds, errors; and a step under torch.compile."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import normal, seeded

from pcltut.models import Gaussian, GenerativeModel, mlp_decoder
from pcltut.samplers import (
    ChainDiverged,
    ChainState,
    ConstantPreconditioner,
    RMSPreconditioner,
    gradient_ascent,
    run,
    ula,
    value_and_score_of,
)

PRECONDITIONERS = {
    "none": lambda: None,
    "constant": lambda: ConstantPreconditioner(torch.tensor([0.5, 1.0, 2.0])),
    "chain": lambda: RMSPreconditioner(0.9),
    "batch": lambda: RMSPreconditioner(0.9, share="batch"),
    "frozen": lambda: RMSPreconditioner(0.9, freeze_after=3),
}


def kernel_of(preconditioner=None, temperature: float = 1.0):
    decoder = mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=seeded(1))
    model, x = GenerativeModel(decoder, Gaussian(0.5), 3), normal(6, 1, 2, 2, seed=2, dtype=torch.float32)
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    return ula(target, 0.02, temperature=temperature, preconditioner=preconditioner)


def start(*chain: int) -> torch.Tensor:
    return normal(*chain, 6, 3, seed=3, dtype=torch.float32)


@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), name=st.sampled_from(list(PRECONDITIONERS)))
def test_a_run_of_t_steps_is_shorter_runs_that_hand_on_the_state(lengths, name):
    kernel = kernel_of(PRECONDITIONERS[name]())
    whole, trace = run(kernel, kernel.init(start(2)), sum(lengths), generator=seeded(4))
    generator, state, parts = seeded(4), kernel.init(start(2)), []
    for length in lengths:
        state, part = run(kernel, state, length, generator=generator)
        parts.append(part)
    assert torch.equal(state.z, whole.z)
    for field in ("z", "log_density", "score"):
        assert torch.equal(torch.cat([getattr(part, field) for part in parts]), getattr(trace, field))


@pytest.mark.parametrize("name", PRECONDITIONERS)
def test_keeping_the_last_step_changes_nothing_else(name):
    kernel = kernel_of(PRECONDITIONERS[name]())
    state, trace = run(kernel, kernel.init(start()), 7, generator=seeded(5), keep="all")
    last_state, last = run(kernel, kernel.init(start()), 7, generator=seeded(5), keep="last")
    assert torch.equal(state.z, last_state.z)
    assert len(last.z) == 1 and len(trace.z) == 7
    for field in ("z", "log_density", "score"):
        assert torch.equal(getattr(last, field)[0], getattr(trace, field)[-1])


def test_trace_holds_the_states_before_each_step():
    kernel, z, generator = kernel_of(), start(4), seeded(6)
    state, trace = run(kernel, kernel.init(z), 3, generator=seeded(6))
    assert trace.z.shape == trace.score.shape == (3, 4, 6, 3) and trace.log_density.shape == (3, 4, 6)
    hand = kernel.init(z)
    for index in range(3):
        assert torch.equal(trace.z[index], hand.z)
        hand, _ = kernel.step(hand, kernel.draw(hand, generator))
    assert torch.equal(state.z, hand.z)


def test_a_step_is_pure():
    kernel = kernel_of(RMSPreconditioner(0.9))
    state = kernel.init(start())
    state, _ = kernel.step(state, torch.zeros(6, 3))
    z, memory = state.z.clone(), [torch.as_tensor(value).clone() for value in state.preconditioner]
    first, _ = kernel.step(state, torch.ones(6, 3))
    second, _ = kernel.step(state, torch.ones(6, 3))
    assert torch.equal(first.z, second.z) and torch.equal(state.z, z)
    for before, after in zip(memory, state.preconditioner, strict=True):
        assert torch.equal(before, torch.as_tensor(after))


def test_nothing_backpropagates_through_the_chain():
    kernel = kernel_of()
    z = start().requires_grad_()
    state, trace = run(kernel, kernel.init(z), 3, generator=seeded(7))
    assert not state.z.requires_grad and not trace.z.requires_grad and not trace.score.requires_grad


def test_same_seed_same_chain_other_seed_other_chain():
    kernel = kernel_of()
    first, again, other = (run(kernel, kernel.init(start()), 3, generator=seeded(s))[0].z for s in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.usefixtures("no_shape_checks")
@pytest.mark.parametrize(
    "call",
    [
        lambda target: ula(target, -0.1),
        lambda target: ula(target, 0.0),
        lambda target: ula(target, float("nan")),
        lambda target: gradient_ascent(target, -0.1),
        lambda target: ula(target, 0.1, temperature=-1.0),
        lambda target: ula(target, 0.1, temperature=float("nan")),
        lambda target: run(ula(target, 0.1), ChainState(torch.zeros(2, 3)), 0, generator=seeded(1)),
        lambda target: run(ula(target, 0.1), ChainState(torch.zeros(2, 3)), 2, generator=seeded(1), keep="none"),
        lambda target: ConstantPreconditioner(torch.tensor([1.0, -1.0])),
        lambda target: ConstantPreconditioner(torch.tensor([1.0, float("nan")])),
        lambda target: RMSPreconditioner(1.0),
        lambda target: RMSPreconditioner(-0.1),
        lambda target: RMSPreconditioner(0.9, 0.0),
        lambda target: RMSPreconditioner(0.9, share="image"),
        lambda target: RMSPreconditioner(0.9, freeze_after=0),
    ],
)
def test_wrong_arguments_say_got_expected_and_remedy(call):
    with pytest.raises(ValueError, match=r"(?s)^got .*expected .*; "):
        call(lambda z: (-z.square().sum(-1), -2 * z))


def test_a_diverged_chain_says_what_to_do():
    kernel = ula(lambda z: (-50 * z.square().sum(-1), -100 * z), 0.1)
    with pytest.raises(ChainDiverged, match=r"(?s)finite.*lower step_size"):
        run(kernel, kernel.init(torch.ones(2, 3)), 500, generator=seeded(1))


COMPILED = """
    import torch
    from pcltut.models import Gaussian, GenerativeModel, mlp_decoder
    from pcltut.samplers import ConstantPreconditioner, RMSPreconditioner, value_and_score_of, ula

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    model = GenerativeModel(mlp_decoder(3, (1, 2, 2), hidden=(8,), generator=generator), Gaussian(0.5), 3)
    x, z, noise = (torch.randn(6, *shape, generator=generator) for shape in ((1, 2, 2), (3,), (3,)))
    target = value_and_score_of(lambda z: model.log_joint(x, z))
    kernel = ula(target, 0.02, preconditioner=PRECONDITIONER)
    step = torch.compile(kernel.step, fullgraph=True, backend="BACKEND")
    state = compiled = kernel.init(z)
    for _ in range(3):
        state, info = kernel.step(state, noise)
        compiled, compiled_info = step(compiled, noise)
    torch.testing.assert_close(compiled.z, state.z)
    torch.testing.assert_close(tuple(compiled_info), tuple(info))
    print("compiled")
"""


@pytest.mark.slow
@pytest.mark.parametrize("preconditioner", ["None", "RMSPreconditioner(0.9)"])
def test_step_compiles_in_one_graph(preconditioner, tmp_path):
    """In a process without the shape checks, which a compiled function cannot hold; no C++ compiler is needed."""
    script = textwrap.dedent(COMPILED).replace("PRECONDITIONER", preconditioner).replace("BACKEND", "aot_eager")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200
    )
    assert result.stdout.strip() == "compiled", result.stderr
