"""Run notebooks in place, so that they are committed with what they show.

Usage: python tools/notebooks.py [notebook ...]        (default: all in notebooks/)

Running twice changes nothing but pixels: what differs from run to run by nature keeps its old
words, by the same rules that nbval compares with, and metadata is kept to what matters.
"""

import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from kernels import enter
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns
from traitlets.config import Config

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ROOT / "notebooks"
SANITIZE = ROOT / "tests" / "guard" / "sanitize.cfg"
RULES = get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},  # no version: the course runs on several
}
CELL_METADATA = {"jupyter", "tags"}  # what is collapsed, and what is expected
WIDGET = "application/vnd.jupyter.widget-view+json"  # dead without its kernel; the picture is not
ELSEWHERE = re.compile(r"(\x1b\[[\d;]*m)*File ")  # starts a frame outside the notebook


def execute(path: Path) -> None:
    """Run a notebook and write it back; exit with a sentence if a cell should not have failed."""
    notebook = nbformat.read(path, as_version=4)
    before = {cell.id: cell.get("outputs", []) for cell in notebook.cells}
    folder = tempfile.TemporaryDirectory(prefix="kernel-")
    config = Config()
    config.KernelManager = Config(transport="ipc", ip=f"{folder.name}/kernel")
    client = NotebookClient(
        notebook,
        config=config,
        timeout=60,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        with folder:
            client.execute()
    except CellExecutionError as error:
        failed = f"{error.ename}: {error.evalue}"
        sys.exit(f"{path}, {last_run(notebook)} failed: {failed}\n(tag it raises-exception?)")
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        clean(cell)
        if cell.cell_type == "code":
            cell.outputs = settle(before[cell.id], cell.outputs)
            stderr = "".join(out.text for out in cell.outputs if out.get("name") == "stderr")
            if stderr and "shows-stderr" not in cell.metadata.get("tags", []):
                sys.exit(
                    f"{path}, cell [{cell.execution_count}] wrote on stderr:\n{stderr}"
                    "(tag it shows-stderr?)"
                )
    nbformat.write(notebook, path)


def last_run(notebook: NotebookNode) -> str:
    """Name the cell that was run last, as its prompt does."""
    return f"cell [{max(cell.get('execution_count') or 0 for cell in notebook.cells)}]"


def clean(cell: NotebookNode) -> None:
    """Remove what is of this run and this machine only."""
    for key in set(cell.metadata) - CELL_METADATA:
        del cell.metadata[key]
    for output in cell.get("outputs", []):
        output.get("data", {}).pop(WIDGET, None)
        if output.output_type == "error":
            output.traceback = [part for part in output.traceback if not ELSEWHERE.match(part)]


def settle(old: Any, new: Any) -> Any:
    """Return new, with the old words wherever the rules hold both for the same."""
    if isinstance(old, str) and isinstance(new, str):
        return old if sanitized(old) == sanitized(new) else new
    if isinstance(old, dict) and isinstance(new, dict):
        return type(new)((key, settle(old.get(key), value)) for key, value in new.items())
    if isinstance(old, list) and isinstance(new, list):
        missing = [None] * len(new)
        return [settle(a, b) for a, b in zip(old + missing, new, strict=False)]
    return new


def sanitized(text: str) -> str:
    """Return text as nbval compares it."""
    for rule, replacement in RULES:
        text = re.sub(rule, replacement, text)
    return text


if __name__ == "__main__":
    paths = [Path(name) for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    with enter():
        for path in paths:
            start = time.perf_counter()
            execute(path)
            print(f"{path.name}: {time.perf_counter() - start:.1f} s")
