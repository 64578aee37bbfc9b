"""The prepared images: the right ones, the same bytes every time, whole or not at all."""

import contextlib
import doctest
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from helpers.world import data
from helpers.world.data import COLUMNS, HELD_OUT, DataError, Prepared, prepare

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(tmp_path_factory.mktemp("prepared"))


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def making(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".making-*")]


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
    """A process that dies half-way, with no chance to clean up, leaves no finished file.

    What it did leave is cleared away by whoever comes next, whatever that one prepares.
    """
    code = (
        "import os; from helpers.world import data; "
        "data._make_database = lambda *_: os._exit(9); data.prepare(os.sys.argv[1])"
    )
    three = prepare(tmp_path, 3).database.parent.name
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False)
    assert died.returncode == 9
    assert making(tmp_path) and not content(tmp_path / "digits-10")
    prepare(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits-10", three]
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)


def test_a_build_under_way_elsewhere_is_let_alone(tmp_path: Path, prepared: Prepared) -> None:
    """Another process that is half-way keeps what it works on, and comes to its end."""
    code = (
        "from helpers.world import data; make = data._make_database; "
        "data._make_database = lambda *both: (print('half-way', flush=True), input(), make(*both));"
        f" data.prepare({str(tmp_path)!r})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout and other.stdout.readline() == "half-way\n"
        works_on = making(tmp_path)
        prepare(tmp_path, 3)
        assert making(tmp_path) == works_on != []
        other.communicate("go on\n", timeout=60)
    assert other.returncode == 0
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)
    assert making(tmp_path) == []


FAULTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda made: b"", "is empty"),
    "cut short": (lambda made: made[:1234], r"ends after 1,234 of [\d,]+ bytes"),
    "longer": (lambda made: made + b"1\n", r"is not as it was made, from byte [\d,]+ on"),
    "one byte": (lambda made: made[:999] + b"?" + made[1000:], "is not as .*, from byte 1,000 on"),
    "another file": (lambda made: b"my own work", "is not as it was made, from byte 1 on"),
}


@pytest.mark.parametrize("name", ["dataset1.csv", "dataset10.csv", "datasets.sqlite"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_corrupt_file_is_named_and_let_alone(
    tmp_path: Path, prepared: Prepared, name: str, fault: str
) -> None:
    """The error says what is wrong with which file; doing what it says mends it."""
    change, message = FAULTS[fault]
    path = prepare(tmp_path).database.parent / name
    changed = change(path.read_bytes())
    path.write_bytes(changed)
    told = f"^{re.escape(str(path))} {message}: delete it and run prepare\\(\\) again"
    for _ in range(2):
        with pytest.raises(DataError, match=told):
            prepare(tmp_path)
        assert path.read_bytes() == changed
    path.unlink()
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    """It is let alone, with all that is in it."""
    path = prepare(tmp_path).files[4]
    path.unlink()
    path.mkdir()
    (path / "mine").touch()
    with pytest.raises(
        DataError, match=r"dataset5\.csv is a folder, where a file should be: delete"
    ):
        prepare(tmp_path)
    assert (path / "mine").exists()


@pytest.mark.parametrize("content_", [None, b"", b"\xff\x00", b"none  dataset1.csv\n"])
def test_the_checksums_blame_no_file(
    tmp_path: Path, prepared: Prepared, content_: bytes | None
) -> None:
    """Where it is they that are wrong, or that are missing, they are made anew."""
    sums = prepare(tmp_path).database.parent / "checksums.sha256"
    sums.unlink()
    if content_ is not None:
        sums.write_bytes(content_)
    prepare(tmp_path)
    assert content(tmp_path / "digits-10") == content(prepared.database.parent)


def test_looking_at_all_files_is_quick(tmp_path: Path) -> None:
    """A second call takes a few milliseconds of processor time: it makes no image anew."""
    prepare(tmp_path)
    took = []
    for _ in range(5):
        start = time.process_time()
        prepare(tmp_path)
        took.append(time.process_time() - start)
    assert min(took) < 0.02


ADVICE = r"let it be read and written to, make room on the disk, or name another folder, as in prep"


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be no administrator for a while: such a one may write anywhere."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="folders are not read-only here")
def test_a_read_only_folder() -> None:
    """It gets a sentence that names it, unless there is nothing to write."""
    with tempfile.TemporaryDirectory() as name:
        made = prepare(name)
        inside = made.database.parent
        for path in Path(name), inside:
            path.chmod(0o555)
        with as_nobody():
            assert prepare(name) == made
        inside.chmod(0o755)
        made.files[2].unlink()
        with as_nobody(), pytest.raises(PermissionError, match=ADVICE) as refused:
            prepare(name)
        assert str(refused.value.filename).startswith(name)
        Path(name).chmod(0o755)


@pytest.mark.parametrize("room", [1_000, 50_000], ids=["for no shard", "for shards alone"])
def test_a_full_disk(tmp_path: Path, room: int) -> None:
    """The sentence says so, and nothing half-made is left; here a limit stands for the disk."""
    resource = pytest.importorskip("resource")
    code = "from helpers.world import prepare; import sys; prepare(sys.argv[1])"
    ran = subprocess.run(
        [sys.executable, "-B", "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )
    told = ran.stderr.splitlines()[-1]
    assert re.match(r"OSError: \[Errno \d+\] (File too large|.*disk.*); prepare\(\) keeps", told), (
        told
    )
    assert re.search(ADVICE, told)
    assert "During handling" not in ran.stderr and making(tmp_path) == []
    assert content(tmp_path) == {}


@pytest.mark.parametrize("place", ["data", "data/digits-10"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, place: str) -> None:
    """It gets a sentence too."""
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(OSError, match=ADVICE):
        prepare(tmp_path / "data")


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
