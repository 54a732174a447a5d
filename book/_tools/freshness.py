"""When the outputs of a notebook are stale.

They are stale when its code cells differ from those that made them, or when a module of pcltut that the cells
import, directly or through other modules, does, or when committed results that they read do. Comments and
docstrings in pcltut do not count. The hashes that tell this stand in the notebook's metadata: notebooks.py stores
them, a test checks them.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]
ROOT = BOOK.parent


def module_file(name: str, root: Path) -> Path | None:
    """The file of module `name` below `root`, or None where `name` is no module (but a function, say)."""
    path = root.joinpath(*name.split("."))
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


def imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Dotted names under pcltut that `tree`, a module of `package`, imports: modules or names in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            names = [base] + [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "pcltut")


def canonical(node: object) -> str:
    """A dump of a syntax tree without positions, comments and docstrings, equal on each version of Python."""
    if isinstance(node, list):
        return f"[{','.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name != "kind" and value not in (None, [])}
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            fields["body"] = node.body[1:]
    return f"{type(node).__name__}({','.join(f'{name}={canonical(value)}' for name, value in fields.items())})"


def python_of(cell) -> str:
    """The code of a cell, with nothing in the place of IPython's own lines."""
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", cell.source, flags=re.MULTILINE)


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_hash(notebook, name: str, root: Path = ROOT) -> str:
    """Hash of the code cells of notebook `name` and of all modules of pcltut in `root` that they import."""
    digest = hashlib.sha256()
    found = {"pcltut"}
    for cell in code_cells(notebook):
        digest.update(cell.source.encode() + b"\0")
        found.update(imports(ast.parse(python_of(cell)), ""))
        for results in re.findall(r"\bload_(?:results|search)\(\s*[\"']([\w-]+)[\"']", cell.source):
            for file in (f"{results}.json", f"{results}-tuning.json"):
                path = root / "book" / "results" / file
                digest.update(path.read_bytes() if path.is_file() else b"")
    if "pcltut.check" in found and name[:2].isdigit():
        found.add(f"pcltut.check.chapter_{name[:2]}")  # pcltut.check imports it when it is asked
    waiting, trees = sorted(found), {}
    while waiting:
        module = waiting.pop()
        parent = module.rpartition(".")[0]
        file = module_file(module, root)
        if parent:
            waiting.append(parent)
        if file is None or module in trees:
            continue
        trees[module] = ast.parse(file.read_text(encoding="utf-8"))
        waiting += imports(trees[module], module if file.name == "__init__.py" else parent)
    for module in sorted(trees):
        digest.update(f"{module}\0{canonical(trees[module])}\0".encode())
        for file in files_of_explorable(module, root):
            digest.update(file.read_bytes())
    return digest.hexdigest()


SCRIPT_IMPORT = re.compile(r'from "\./(.*?)";')


def files_of_explorable(module: str, root: Path) -> list[Path]:
    """The scripts, style and weights that a widget carries into the notebook; none for other modules."""
    folder = root / "pcltut" / "explorables"
    own = folder / "scripts" / f"{module.rpartition('.')[2]}.js"
    if not (module.startswith("pcltut.explorables.") and own.is_file()):
        return []
    scripts = [own]
    for script in scripts:  # which grows: a script's imports, and theirs
        imported = [script.parent / name for name in SCRIPT_IMPORT.findall(script.read_text(encoding="utf-8"))]
        scripts += [path for path in imported if path not in scripts]
    return [*sorted(scripts), folder / "scripts" / "page.css", *sorted(folder.glob("*.safetensors"))]


def output_hash(notebook) -> str:
    """Hash of all outputs and widget states: a notebook saved by hand after a run does not pass for fresh."""
    outputs = [[cell.execution_count, cell.outputs] for cell in code_cells(notebook)]
    text = json.dumps([outputs, notebook.metadata.get("widgets")], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def is_fresh(notebook, name: str, root: Path = ROOT) -> bool:
    made_with = notebook.metadata.get("pcltut", {})
    return made_with.get("source_hash") == source_hash(notebook, name, root) and made_with.get(
        "output_hash"
    ) == output_hash(notebook)
