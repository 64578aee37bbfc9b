"""The prepared images: the right ones, the same bytes every time, whole or not at all."""

import contextlib
import doctest
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from helpers.world import data
from helpers.world.data import COLUMNS, HELD_OUT, Prepared, prepare

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(path: Path) -> list[list[int]]:
    return [[int(cell) for cell in line.split(",")] for line in path.read_text().splitlines()[1:]]


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples in the docstrings give what they say."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(data)
    assert result.attempted and not result.failed


@pytest.mark.parametrize("files", [1, 3, 10, 600, 1000])
def test_held_out_images_are_dealt_evenly_and_in_order(tmp_path: Path, files: int) -> None:
    """Shards laid end to end are the images that training leaves, each in one shard."""
    shards = [rows(path) for path in prepare(tmp_path, files).files]
    size = HELD_OUT // files
    assert [len(shard) for shard in shards] == [size] * files
    pixels, labels = load_digits(return_X_y=True)
    expected = np.column_stack([pixels, labels])[-HELD_OUT:][: size * files]
    assert (np.concatenate(shards) == expected).all()


def test_shape_of_a_file(prepared: Prepared) -> None:
    """Names, header and line ends are as the docstring and a spreadsheet expect."""
    assert [path.name for path in prepared.files] == [f"dataset{i}.csv" for i in range(1, 11)]
    text = prepared.files[0].read_bytes().decode("ascii")
    assert text.splitlines()[0].split(",") == list(COLUMNS)
    assert text.count("\n") == 101 and text.endswith("\n") and "\r" not in text


def test_database_holds_what_the_files_hold(prepared: Prepared) -> None:
    """The two sources are interchangeable: same images, same order, a sound file."""
    with contextlib.closing(sqlite3.connect(prepared.database)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for path in prepared.files:
            found = database.execute(
                "SELECT position, pixels, label FROM images WHERE dataset = ? ORDER BY position",
                (path.stem,),
            ).fetchall()
            assert [position for position, _, _ in found] == list(range(100))
            assert [[*pixels, label] for _, pixels, label in found] == rows(path)


def test_database_finds_a_shard_by_index(prepared: Prepared) -> None:
    """A query for one shard searches an index and sorts nothing."""
    query = "SELECT pixels FROM images WHERE dataset = 'dataset1' ORDER BY position"
    with contextlib.closing(sqlite3.connect(prepared.database)) as database:
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(plan) == 1 and plan[0].startswith("SEARCH") and "INDEX" in plan[0]


def test_same_bytes_every_time(tmp_path: Path, prepared: Prepared) -> None:
    """Another build, and another machine, get the same bytes."""
    again = prepare(tmp_path)
    assert content(again.database.parent) == content(prepared.database.parent)
    shards = b"".join(path.read_bytes() for path in again.files)
    assert hashlib.sha256(shards).hexdigest() == (
        "938b9cf1f62b44ec1007f7c8195591e54fccff605024d75fad3ea5df28fa6211"
    )
    assert again.database.read_bytes()[96:100] == bytes(4), "the SQLite version shows"


def test_second_call_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is kept, even without scikit-learn."""
    first = prepare(tmp_path)
    before = [path.stat() for path in (*first.files, first.database)]
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert prepare(tmp_path) == first
    assert [path.stat().st_mtime_ns for path in (*first.files, first.database)] == [
        stat.st_mtime_ns for stat in before
    ]


def test_numbers_of_files_do_not_collide(tmp_path: Path) -> None:
    """Ten files and three files live side by side."""
    ten = prepare(tmp_path, 10)
    before = content(ten.database.parent)
    three = prepare(str(tmp_path), 3)
    assert not {*ten.files, ten.database} & {*three.files, three.database}
    assert content(ten.database.parent) == before


def test_a_deleted_file_comes_back(tmp_path: Path, prepared: Prepared) -> None:
    """Only what is missing is made anew, with the same bytes."""
    made = prepare(tmp_path)
    made.files[3].unlink()
    kept = made.files[4].stat().st_ino
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)
    assert made.files[4].stat().st_ino == kept


@pytest.mark.parametrize("moves", [0, 1, 7])
def test_an_interrupted_build_is_finished_by_the_next(
    tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Stopped while files are put in place: each is whole or absent; nothing else is left."""
    whole = content(prepared.database.parent)
    left = iter(range(moves))
    replace = os.replace

    def interrupted(source: Path, target: Path) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", interrupted)
        prepare(tmp_path)
    assert len(content(tmp_path)) == moves
    assert content(tmp_path / "digits-10").items() <= whole.items()
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == whole


def test_a_killed_build_counts_for_nothing(tmp_path: Path, prepared: Prepared) -> None:
    """A process that dies half-way, with no chance to clean up, leaves no finished file."""
    code = (
        "import os; from helpers.world import data; "
        "data._make_database = lambda *_: os._exit(9); data.prepare(os.sys.argv[1])"
    )
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert died.returncode == 9
    assert content(tmp_path) and not content(tmp_path / "digits-10")
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)


def test_two_at_once_both_succeed(
    tmp_path: Path, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find nothing, both build, both put the same bytes in place."""
    both = threading.Barrier(2, timeout=30)
    make = data._make

    def make_together(folder: Path, files: int) -> None:
        both.wait()
        make(folder, files)
        both.wait()

    monkeypatch.setattr(data, "_make", make_together)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(prepare, [tmp_path, tmp_path])
    assert one == other
    assert content(tmp_path) == {
        f"digits-10/{name}": value for name, value in content(prepared.database.parent).items()
    }


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        (0, ValueError, "files=0, but there are 1000 images.* choose files from 1 to 1000"),
        (-1, ValueError, "files=-1"),
        (2000, ValueError, "files=2000.* choose files from 1 to 1000"),
        ("3", TypeError, r"a whole number such as 10, not '3' \(str\)"),
        (True, TypeError, r"not True \(bool\)"),
        (2.0, TypeError, r"not 2.0 \(float\)"),
        (None, TypeError, r"not None \(NoneType\)"),
    ],
)
def test_bad_number_of_files(
    tmp_path: Path, files: object, error: type[Exception], message: str
) -> None:
    """A clear error says what was seen and what to write; nothing is made."""
    with pytest.raises(error, match=message):
        prepare(tmp_path, files)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_git_ignores_what_a_notebook_prepares() -> None:
    """`prepare()` in a notebook never shows up in `git status`."""
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("no git repository here")
    made = "notebooks/data/digits-10/dataset1.csv"
    assert not subprocess.run(["git", "check-ignore", "-q", made], cwd=ROOT, check=False).returncode
