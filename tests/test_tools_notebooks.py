"""`make notebooks` runs notebooks in place, and twice is as good as once."""

import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

TOOL = Path(__file__).parent.parent / "tools" / "notebooks.py"
CELLS = [
    "import base64\nimport time\n\nfrom IPython.display import display",
    'display({"image/png": base64.b64encode(str(time.time()).encode()).decode()}, raw=True)',
    'print(f"took {time.time():.6f} s (real)")\nobject()',
    'display({"text/plain": "x", "application/vnd.jupyter.widget-view+json": {}}, raw=True)',
]


@pytest.fixture
def execute() -> Callable[[Path], None]:
    """What the tool does to each notebook; without a process of its own, which takes seconds."""
    return runpy.run_path(str(TOOL))["execute"]


def write(path: Path, *sources: str, tags: tuple[str, ...] = ()) -> None:
    cells = [new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    cells[0].metadata["execution"] = {"iopub.status.busy": "2026-01-01"}
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Try"), *cells]), path)


def test_twice_changes_nothing_but_pixels(tmp_path: Path):
    """Durations and addresses keep their old words; only the picture is new."""
    path = tmp_path / "try.ipynb"
    write(path, *CELLS)
    texts = []
    for _ in range(2):
        command = [sys.executable, str(TOOL), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        texts.append(path.read_text())
    first, second = (text.splitlines() for text in texts)
    changed = [old for old, new in zip(first, second, strict=True) if old != new]
    assert len(changed) == 1
    assert "image/png" in changed[0]


def test_only_what_matters_is_kept(tmp_path: Path, execute: Callable[[Path], None]):
    """Cells are numbered from one; metadata of the run and dead widgets are gone."""
    path = tmp_path / "try.ipynb"
    write(path, *CELLS, tags=("kept",))
    execute(path)
    notebook = nbformat.read(path, as_version=4)
    code = notebook.cells[1:]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4]
    assert all(cell.metadata == {"tags": ["kept"]} for cell in code)
    assert code[3].outputs[0].data == {"text/plain": "x"}
    assert notebook.metadata.language_info == {"name": "python"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_words_change_where_results_do():
    """A result that differs in more than the clock is taken over."""
    settle = runpy.run_path(str(TOOL))["settle"]
    assert settle("1.5 s (real)", "2.5 s (real)") == "1.5 s (real)"
    assert settle("1.5 s (real), 3 files", "2.5 s (real), 4 files") == "2.5 s (real), 4 files"
    assert settle("1.5 s", "2.5 s") == "2.5 s"
    assert settle([{"text": "0x1f"}], [{"text": "0x2f"}, "new"]) == [{"text": "0x1f"}, "new"]
    assert settle([{"text": "a"}, "gone"], [{"text": "b"}]) == [{"text": "b"}]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "cell [2] failed: ZeroDivisionError: division by zero"),
        ("raise ExceptionGroup('two', [ValueError(1)])", "cell [2] failed: ExceptionGroup: two"),
        ("import sys\nprint('oh', file=sys.stderr)", "cell [2] wrote on stderr:\noh"),
    ],
)
def test_a_cell_that_should_not_fail_stops_it(
    tmp_path: Path, execute: Callable[[Path], None], source: str, words: str
):
    """The message names notebook and cell, and the file is left as it was."""
    path = tmp_path / "try.ipynb"
    write(path, "import time", source)
    before = path.read_text()
    with pytest.raises(SystemExit, match=re.escape(f"{path}, {words}")):
        execute(path)
    assert path.read_text() == before


def test_a_lesson_may_fail(tmp_path: Path, execute: Callable[[Path], None]):
    """A tagged error is stored, without the frames that name this machine's folders."""
    path = tmp_path / "try.ipynb"
    write(path, "import json\njson.loads('{')", tags=("raises-exception",))
    execute(path)
    (output,) = nbformat.read(path, as_version=4).cells[1].outputs
    assert output.ename == "JSONDecodeError"
    assert "json.loads" in "".join(output.traceback).replace("\x1b[39m", "")
    assert "decoder.py" not in "".join(output.traceback)
