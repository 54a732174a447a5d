"""The layout of the package: who imports whom, what importing does, how long and described files are."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pcltut"
# A module imports only from the ones before it, and from its own package.
ORDER = [
    "files",
    "arguments",
    "noise",
    "distributed",
    "data",
    "models",
    "samplers",
    "objectives",
    "training",
    "evaluation",
    "experiments",
    "bench",
]
LAST = ["plotting", "explorables", "check", "cli", "__main__"]  # these may also import one another
MAX_LINES = 320

SOURCES = sorted(PACKAGE.rglob("*.py"))
TOOLS = sorted(ROOT.glob("book/_tools/*.py"))
TESTS = sorted(ROOT.glob("tests/**/*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def each(paths: list[Path]):
    return pytest.mark.parametrize("path", paths, ids=relative)


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: `samplers` for pcltut/samplers/ula.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> Iterator[str]:
    """The parts of the package that a file imports from, in any of its functions."""
    here = ("pcltut", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "pcltut" else [module]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("pcltut."))


@each(SOURCES)
def test_imports_point_to_the_left(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert not list(imported_parts(path))
        return
    assert part in ORDER + LAST, f"{part} has no place in the order of modules: add it to ORDER"
    allowed = {*ORDER[: ORDER.index(part)], part} if part in ORDER else {*ORDER, *LAST}
    assert set(imported_parts(path)) <= allowed, f"{part} may import only from {sorted(allowed)}"


def test_the_package_itself_holds_only_its_version() -> None:
    docstring, *rest = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert [ast.unparse(node).split(" = ")[0] for node in rest] == ["__version__"]


def test_importing_everything_has_no_effect() -> None:
    """No seed, threads, default dtype, style or torchvision, whichever modules are imported."""
    script = """
import importlib, json, pkgutil, random, sys
import matplotlib, numpy, torch
def state():
    return [torch.get_rng_state().tolist(), torch.get_num_threads(), str(torch.get_default_dtype()),
            torch.are_deterministic_algorithms_enabled(), repr(random.getstate()),
            repr(numpy.random.get_state()), repr(dict(matplotlib.rcParams))]
before = state()
import pcltut
names = [module.name for module in pkgutil.walk_packages(pcltut.__path__, "pcltut.")]
for name in names:
    if not name.endswith(("__main__", "bench.jax_step")):  # the latter is a program of JAX, which is no dependency
        importlib.import_module(name)
print(json.dumps({"same": before == state(), "torchvision": "torchvision" in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"same": True, "torchvision": False}


@each(SOURCES + TOOLS)
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: split it by subject, one file a subject"


@each(SOURCES + TOOLS + TESTS)
def test_nothing_is_left_for_later(path: Path) -> None:
    marks = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "place" + "holder"]
    if path.name not in ("code.py", "assignments.py", "test_assignments.py"):  # which are about the stubs of exercises
        marks.append("NotImplemented" + "Error")
    text = path.read_text(encoding="utf-8")
    assert not [mark for mark in marks if mark in text]


@each(SOURCES)
def test_library_code_is_quiet_and_described(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
        if isinstance(node, ast.ImportFrom):
            assert node.module != "__future__", f"line {node.lineno}: the shape checks need real annotations"
        if isinstance(node, ast.Call) and part_of(path) not in ("check", "__main__"):
            assert ast.unparse(node.func) != "print", f"line {node.lineno}: a library function prints"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"line {node.lineno}: {node.name} has no docstring"


@each(SOURCES + TOOLS)
def test_a_generator_is_passed_by_its_name(path: Path) -> None:
    """Randomness is visible at each call; the one exception is `Kernel.draw(state, generator)`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("draw"):
            positional = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
            assert "generator" not in positional, f"line {node.lineno}: {node.name} takes generator by position"


@each(SOURCES)
def test_normal_noise_is_drawn_in_one_place(path: Path) -> None:
    if path != PACKAGE / "noise.py":
        assert "torch.randn(" not in path.read_text(encoding="utf-8"), "use pcltut.noise.standard_normal"
