"""The learner's edition: nothing is given away beforehand, and nothing of the learner's is lost."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict
from learner import COURSE, LEARN, RECORD, Folder, edition, trust, version
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
SPEC = "display_name", "language"
NAME = "03_gather.ipynb"
NEW, OLD = "03_gather.new.ipynb", "03_gather.old.ipynb"
OUTPUT = new_output("stream", text="ok: shown by a run\n")


def notebook(*sources: str) -> nbformat.NotebookNode:
    """A notebook of the course, as it is committed: with what it shows."""
    cells = [new_code_cell(source, outputs=[OUTPUT], execution_count=1) for source in sources]
    for number, cell in enumerate(cells):
        cell.id = f"gather-{number}"
    solution = new_code_cell("answer = 42", metadata={"tags": ["solution"]}, id="gather-9")
    return new_notebook(cells=[new_markdown_cell("# Gather", id="gather-t"), *cells, solution])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A course with one notebook, and a learner who has not begun."""
    course = tmp_path / "notebooks"
    course.mkdir()
    give(course, "load()")
    return Folder(course, tmp_path / "learn")


def give(course: Path, *sources: str, name: str = NAME) -> None:
    """Have the course change a notebook."""
    nbformat.write(notebook(*sources), course / name)


def update(folder: Folder) -> list[str]:
    """Start anew: what is known is what lies on the disk."""
    said = Folder(folder.course, folder.learn).update()
    return [re.sub(" +", " ", line) for line in said]


def edit(path: Path, change: Callable[[Any], Any]) -> bytes:
    """Have the learner save a change; return what then is on the disk."""
    content = nbformat.read(path, as_version=4)
    change(content)
    nbformat.write(content, path)
    return path.read_bytes()


def solve(content: Any) -> None:
    """Write one's own."""
    content.cells[1].source = "my own work"


def run(content: Any) -> None:
    """Run all cells, unfold a solution; JupyterLab adds an empty cell, and the widgets' state."""
    for cell in content.cells[1:]:
        cell.update(outputs=[new_output("stream", text="7")], execution_count=3)
        cell.metadata.jupyter = {"source_hidden": False}
    content.cells.append(new_code_cell())
    content.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


def files(folder: Folder) -> set[str]:
    return {path.name for path in folder.learn.iterdir()} - {RECORD}


@pytest.mark.parametrize("path", sorted(COURSE.glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_copy_gives_anything_away(path: Path):
    """No output, no number, nothing that says ok; solutions are folded under their name."""
    whole = nbformat.read(path, as_version=4)
    copy = nbformat.from_dict(edition(json.loads(path.read_text(encoding="utf-8"))))
    nbformat.validate(copy)
    for cell, before in zip(copy.cells, whole.cells, strict=True):
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        solution = "solution" in cell.metadata.get("tags", [])
        source = "".join(cell.source)
        assert cell.metadata.get("jupyter", {}).get("source_hidden", False) == solution
        assert source.startswith("# Solution") == solution
        assert source.removeprefix("# Solution\n") == before.source.removeprefix("# Solution\n")


def test_a_copy_has_what_jupyterlab_would_write_into_it():
    """What the kernel says of itself, or the copy would be "unsaved" as soon as it is opened."""
    metadata = edition(notebook("load()"))["metadata"]
    assert metadata["language_info"] == IPythonKernel.language_info
    course = json.loads((COURSE / "00_start_here.ipynb").read_text(encoding="utf-8"))
    there = edition(course)["metadata"]["kernelspec"]
    assert there == {"name": "python3"} | {key: get_kernel_dict()[key] for key in SPEC}


def test_links_lead_somewhere_from_a_copy_too(tmp_path: Path):
    """The learner's folder lies where the notebooks' own does, and holds them all."""
    assert LEARN.parent == COURSE.parent
    given = Folder(COURSE, tmp_path / "learn")
    given.update()
    links = 0
    for path in given.learn.glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for link in re.findall(r"\]\((?!https?:|#)([^)\s#]+)", text):
            links += 1
            place = LEARN if link.startswith("..") else given.learn
            assert Path(os.path.normpath(place / link)).exists(), (path.name, link)
    assert links


def test_git_does_not_see_the_copies():
    """Whatever a learner or a teacher does there, the checkout stays clean."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    for name in "learn/00_start_here.ipynb", "learn/data/x", "class/x":
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT).returncode == 0


def test_the_untouched_follow_the_course(folder: Folder):
    """A copy is new once, the same while nothing changes, and updated when the course is."""
    assert update(folder) == [f"new {NAME}"]
    assert update(folder) == []
    give(folder.course, "load()", "infer()")
    assert update(folder) == [f"updated {NAME}"]
    assert sources(folder.learn / NAME)[1:3] == ["load()", "infer()"]
    assert update(folder) == []
    assert files(folder) == {NAME}


def test_what_the_course_only_ran_anew_changes_nothing(folder: Folder):
    """Outputs of the course are no part of a copy: other ones are no news."""
    update(folder)
    before = (folder.learn / NAME).stat().st_mtime_ns
    edit(folder.course / NAME, run)
    assert update(folder) == []
    assert (folder.learn / NAME).stat().st_mtime_ns == before


def test_what_was_changed_is_never_written_over(folder: Folder):
    """Through any number of changes by both, each byte that the learner saved stays."""
    update(folder)
    mine = edit(folder.learn / NAME, solve)
    assert update(folder) == [f"kept {NAME}: you changed it"]
    give(folder.course, "second")
    assert update(folder) == [f"kept {NAME}: you changed it; the course's new one is {NEW}"]
    assert sources(folder.learn / NEW)[1] == "second"
    assert update(folder) == [f"kept {NAME}: you changed it"]
    give(folder.course, "third")
    update(folder)
    assert sources(folder.learn / NEW)[1] == "third"  # nobody had touched the second
    also_mine = edit(folder.learn / NEW, solve)
    give(folder.course, "fourth")
    assert update(folder)[0].endswith("03_gather.new2.ipynb")
    assert (folder.learn / NAME).read_bytes() == mine
    assert (folder.learn / NEW).read_bytes() == also_mine
    assert files(folder) == {NAME, NEW, "03_gather.new2.ipynb"}


def test_a_new_one_that_was_thrown_away_does_not_come_back(folder: Folder):
    """It was offered once; only a newer one is offered again."""
    update(folder)
    edit(folder.learn / NAME, solve)
    give(folder.course, "second")
    update(folder)
    (folder.learn / NEW).unlink()
    assert update(folder) == [f"kept {NAME}: you changed it"]
    assert files(folder) == {NAME}


def test_taking_the_new_one_is_to_follow_the_course_again(folder: Folder):
    """A learner may put the course's new one in the place of his own."""
    update(folder)
    edit(folder.learn / NAME, solve)
    give(folder.course, "second")
    update(folder)
    os.replace(folder.learn / NEW, folder.learn / NAME)
    assert update(folder) == []
    give(folder.course, "third")
    assert update(folder) == [f"updated {NAME}"]


def test_running_cells_changes_nothing(folder: Folder):
    """Who ran them all, and changed nothing, still follows; what was shown is kept apart."""
    update(folder)
    shown = edit(folder.learn / NAME, run)
    assert update(folder) == []
    assert (folder.learn / NAME).read_bytes() == shown
    give(folder.course, "second")
    (said,) = update(folder)
    assert said.startswith(f"updated {NAME}")
    assert OLD in said
    assert (folder.learn / OLD).read_bytes() == shown
    assert sources(folder.learn / NAME)[1] == "second"
    again = edit(folder.learn / NAME, run)
    give(folder.course, "third")
    update(folder)
    assert (folder.learn / OLD).read_bytes() == shown
    assert (folder.learn / "03_gather.old2.ipynb").read_bytes() == again


def test_a_deleted_copy_is_given_anew(folder: Folder):
    """That is how to begin afresh."""
    update(folder)
    edit(folder.learn / NAME, solve)
    (folder.learn / NAME).unlink()
    assert update(folder) == [f"new {NAME}"]
    assert sources(folder.learn / NAME)[1] == "load()"


def test_a_notebook_that_the_course_gave_up(folder: Folder):
    """Untouched it goes, and under its new name it comes; what was changed or run stays."""
    for name in "04_a.ipynb", "05_b.ipynb", "06_c.ipynb":
        give(folder.course, "x()", name=name)
    update(folder)
    kept = edit(folder.learn / "04_a.ipynb", solve), edit(folder.learn / "05_b.ipynb", run)
    for name in "04_a.ipynb", "05_b.ipynb":
        (folder.course / name).unlink()
    (folder.course / "06_c.ipynb").rename(folder.course / "06_d.ipynb")
    assert update(folder) == [
        "new 06_d.ipynb",
        "kept 04_a.ipynb: the course no longer has it",
        "kept 05_b.ipynb: the course no longer has it",
        "removed 06_c.ipynb: the course no longer has it, and you had not touched it",
    ]
    assert files(folder) == {NAME, "04_a.ipynb", "05_b.ipynb", "06_d.ipynb"}
    assert kept == tuple((folder.learn / n).read_bytes() for n in ("04_a.ipynb", "05_b.ipynb"))


@pytest.mark.parametrize("broken", [b"", b'{"cells": [{', b"[]", b'{"cells": [1]}', b"\xff\xfe"])
def test_a_file_that_cannot_be_read_stays(folder: Folder, broken: bytes):
    """It may be mended by hand; meanwhile the course's lies beside it, once."""
    update(folder)
    (folder.learn / NAME).write_bytes(broken)
    said = f"kept {NAME}: it cannot be read as a notebook"
    assert update(folder) == [f"{said}; the course's new one is {NEW}"]
    assert update(folder) == [said]
    assert (folder.learn / NAME).read_bytes() == broken
    assert files(folder) == {NAME, NEW}


@pytest.mark.parametrize("record", [None, "{", "[]", '{"03_gather.ipynb": 1}'])
def test_without_its_record_all_counts_as_changed(folder: Folder, record: str | None):
    """Where nothing tells what was given, nothing is written over."""
    update(folder)
    mine = edit(folder.learn / NAME, solve)
    give(folder.course, "other", name="04_other.ipynb")
    update(folder)
    (folder.learn / RECORD).unlink()
    if record is not None:
        (folder.learn / RECORD).write_text(record)
    assert update(folder) == [f"kept {NAME}: you changed it; the course's new one is {NEW}"]
    assert update(folder) == [f"kept {NAME}: you changed it"]
    assert (folder.learn / NAME).read_bytes() == mine


def test_files_of_the_learner_s_own_are_left_alone(folder: Folder):
    """Notes, data and copies under other names are nobody else's business."""
    update(folder)
    own = {"notes.txt": b"1", "03_gather-Copy1.ipynb": b"2", "03_gather.new.ipynb": b"3"}
    for name, content in own.items():
        (folder.learn / name).write_bytes(content)
    edit(folder.learn / NAME, solve)
    give(folder.course, "second")
    (said,) = update(folder)
    assert said.endswith("03_gather.new2.ipynb")
    assert {name: (folder.learn / name).read_bytes() for name in own} == own


def test_a_disk_that_takes_no_more_costs_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch):
    """A copy is written whole or not at all, and the next start goes on from there."""
    update(folder)
    before = (folder.learn / NAME).read_bytes()
    give(folder.course, "second")

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(OSError, match="No space"):
            update(folder)
    assert (folder.learn / NAME).read_bytes() == before
    assert files(folder) == {NAME}
    assert update(folder) == [f"updated {NAME}"]


PREPARE = """
import os, pathlib, sys
import learner
if hasattr(os, "geteuid") and os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)  # root may write everywhere
print(*learner.prepare(*map(pathlib.Path, sys.argv[1:])), sep="\\n")
"""


def test_a_read_only_folder_gets_one_sentence():
    """Where nothing can be written, it says so; where nothing need be, it says nothing."""
    with tempfile.TemporaryDirectory() as name:  # where also somebody else may read
        home = Path(name)
        folder = Folder(home / "notebooks", home / "learn")
        folder.course.mkdir()
        give(folder.course, "load()")

        def told() -> str:
            command = [sys.executable, "-c", PREPARE, str(folder.course), str(folder.learn)]
            done = subprocess.run(command, cwd=ROOT / "tools", capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout.strip()

        home.chmod(0o555)
        said = told()
        assert len(said.splitlines()) == 1
        assert f"{folder.learn} is as it was" in said
        assert "Let it be written to" in said
        home.chmod(0o755)
        update(folder)
        folder.learn.chmod(0o555)
        assert told() == ""
        give(folder.course, "second")
        assert "is as it was" in told()
        assert sources(folder.learn / NAME)[1] == "load()"
        folder.learn.chmod(0o755)


def test_jupyter_trusts_the_copies(folder: Folder):
    """It would warn of each that nobody has signed; what the learner changed is his to trust."""

    def trusted() -> bool:
        notary = NotebookNotary()
        with closing(notary.store):
            return bool(notary.check_signature(nbformat.read(folder.learn / NAME, as_version=4)))

    update(folder)
    assert not trusted()
    trust(folder.learn)
    assert trusted()
    edit(folder.learn / NAME, run)
    trust(folder.learn)
    assert not trusted()


def test_a_version_is_of_the_texts_alone():
    """What is typed counts; what is shown, folded or empty does not."""
    one, other = notebook("load()"), notebook("load()")
    run(other)
    assert version(one) == version(other)
    for change in (
        lambda content: content.cells.pop(),
        lambda content: content.cells.reverse(),
        lambda content: content.cells.append(new_markdown_cell("a note")),
        lambda content: content.cells[1].update(cell_type="markdown"),
        solve,
    ):
        changed = notebook("load()")
        change(changed)
        assert version(changed) != version(one)
