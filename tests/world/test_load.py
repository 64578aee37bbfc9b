"""Loading: the pretend waits are the promised ones, real shards are read right or refused."""

import asyncio
import doctest
import statistics
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.world import load
from helpers.world.data import COLUMNS, prepare
from helpers.world.load import (
    Shard,
    ShardError,
    load_data,
    load_seconds,
    load_shard,
    parse_shard,
    read_shard,
    uneven_seconds,
)

HEADER = ",".join(COLUMNS)
ROW = ",".join(["0"] * 64 + ["7"])
NAMES = [f"dataset{i}.csv" for i in range(1, 41)]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleeps take no time; their seconds are noted."""
    seconds: list[float] = []

    async def sleep(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    """The examples in the docstrings give what they say."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(load)
    assert result.attempted and not result.failed


def test_load_data_sleeps_once_for_load_seconds(slept: list[float]) -> None:
    """The pretend loader waits in `asyncio.sleep`, just as long as `load_seconds` says."""
    for name in NAMES[:3]:
        assert asyncio.run(load_data(name)) == name.replace(".csv", " images")
    assert slept == [load_seconds(name) for name in NAMES[:3]] == [0.65, 1.46, 0.5]


def test_another_seed_is_another_day(slept: list[float]) -> None:
    """The seed changes the wait, not the result."""
    assert asyncio.run(load_data("dataset2.csv", seed=1)) == "dataset2 images"
    assert slept == [load_seconds("dataset2.csv", seed=1)] != [1.46]


def test_the_folder_does_not_change_the_wait() -> None:
    """The same file waits the same wherever it lies, as text or as a path."""
    waits = {load_seconds(path) for path in ("a.csv", "x/a.csv", Path("x/y/a.csv"))}
    assert len(waits) == 1


def test_waits_are_uneven_with_stragglers() -> None:
    """Over 40 files: all in range, most quick, a few slow."""
    waits = [load_seconds(name) for name in NAMES]
    assert all(0.5 <= wait <= 1.5 for wait in waits)
    assert len(set(waits)) > 20
    assert statistics.median(waits) < 0.8
    assert 1 <= sum(wait > 1.4 for wait in waits) <= 8


def test_half_of_all_keys_wait_less_than_a_quarter_of_the_range() -> None:
    """The draw is that of the docstring: u squared, scaled."""
    waits = [uneven_seconds(f"key {i}", 0, 100) for i in range(4000)]
    assert sum(wait < 25 for wait in waits) / 4000 == pytest.approx(0.5, abs=0.03)
    assert statistics.mean(waits) == pytest.approx(100 / 3, abs=1.5)
    assert 0 <= min(waits) < 0.1 and 99 < max(waits) <= 100


def test_read_shard_gives_the_images_of_the_file(tmp_path: Path) -> None:
    """Every pixel and label is the file's, in order; the pixels can be written to."""
    for path in prepare(tmp_path, 7).files:
        table = np.loadtxt(path, delimiter=",", skiprows=1)
        shard = read_shard(path)
        assert (shard.images == table[:, :64]).all() and (shard.labels == table[:, 64]).all()
        assert shard.images.shape == (142, 64) and shard.labels.shape == (142,)
        assert shard.images.dtype == np.uint8 and shard.labels.dtype == np.int64
        assert shard.images.flags.writeable and shard.images.flags.c_contiguous


def test_bytes_from_elsewhere_are_read_as_a_file_is(tmp_path: Path) -> None:
    """The same shard, and the same words about a fault, whatever the name."""
    path = prepare(tmp_path).files[0]
    one, other = read_shard(path), parse_shard(path.name, path.read_bytes())
    assert other.name == one.name
    assert np.array_equal(other.images, one.images) and np.array_equal(other.labels, one.labels)
    with pytest.raises(
        ShardError, match=r"^far/away, line 1: expected the header .* an empty file"
    ):
        parse_shard("far/away", b"")


def test_repr_is_short_and_stable(tmp_path: Path) -> None:
    """A shard as the last line of a cell shows its name and size."""
    assert repr(read_shard(prepare(tmp_path, 3).files[1])) == "Shard('dataset2.csv', 333 images)"
    assert repr(read_shard(prepare(tmp_path, 1000).files[0])) == "Shard('dataset1.csv', 1 image)"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: text.removesuffix("\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
    ],
    ids=["plain", "no last line end", "Windows", "signature"],
)
def test_what_editors_do_to_a_file_is_allowed(tmp_path: Path, change: Callable[[str], str]) -> None:
    """The same values saved by another editor are the same shard."""
    path = tmp_path / "some.csv"
    path.write_bytes(change(f"{HEADER}\n{ROW}\n{ROW}\n").encode())
    assert read_shard(path).labels.tolist() == [7, 7]


def cell(column: int, value: str) -> str:
    cells = ROW.split(",")
    cells[column] = value
    return ",".join(cells)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected the header 'pixel0,.*label', saw an empty file"),
        ("\n", "line 1: expected the header 'pixel0,.*label', saw an empty file"),
        (HEADER, "line 2: expected an image, saw the end of the file"),
        (HEADER + "\n", "line 2: expected an image, saw the end of the file"),
        (f"{ROW}\n{ROW}", "line 1: expected the header 'pixel0,.*label', saw '0,0,"),
        (f"\n{HEADER}\n{ROW}", "line 1: expected the header 'pixel0,.*label', saw ''"),
        (f"{HEADER}\n{ROW[2:]}", r"line 2: expected 65 columns \(64 pixels, label\), saw 64: '0,"),
        (f"{HEADER}\n{ROW}\n{ROW},1", "line 3: expected 65 columns .*, saw 66: '0,"),
        (f"{HEADER}\n{ROW[2:]}\n0,{ROW}", "line 2: expected 65 columns .*, saw 64: "),
        (f"{HEADER}\n{ROW}\n\n{ROW}", "line 3: expected 65 columns .*, saw a blank line"),
        (f"{HEADER}\n{ROW}\n\n", "line 3: expected 65 columns .*, saw a blank line"),
        (f"{HEADER}\n{ROW}\n{cell(5, 'x')}", "line 3, pixel5: .* number from 0 to 16, saw 'x'"),
        (f"{HEADER}\n{cell(0, '17')}", "line 2, pixel0: .* whole number from 0 to 16, saw '17'"),
        (f"{HEADER}\n{cell(63, '-1')}", "line 2, pixel63: .* whole number from 0 to 16, saw '-1'"),
        (f"{HEADER}\n{cell(9, '1.5')}", "line 2, pixel9: .* whole number from 0 to 16, saw '1.5'"),
        (f"{HEADER}\n{cell(9, '')}", "line 2, pixel9: .* whole number from 0 to 16, saw ''"),
        (f"{HEADER}\n{cell(9, 'nan')}", "line 2, pixel9: .* whole number from 0 to 16, saw 'nan'"),
        (f"{HEADER}\n{cell(64, '10')}", "line 2, label: expected a digit from 0 to 9, saw '10'"),
        (f"{HEADER}\n{cell(64, 'two')}", "line 2, label: expected a digit from 0 to 9, saw 'two'"),
    ],
)
def test_a_faulty_file_is_named_with_line_and_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """The error names the file as it was given, the first bad line, expected and seen."""
    monkeypatch.chdir(tmp_path)
    Path("bad.csv").write_text(text)
    with pytest.raises(ShardError, match=f"^bad.csv, {message}"):
        read_shard("bad.csv")


@pytest.mark.parametrize("signature", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_text(tmp_path: Path, signature: bytes) -> None:
    """A picture, say, or another encoding: the line and the byte are named."""
    path = tmp_path / "bad.csv"
    path.write_bytes(signature + f"{HEADER}\n{ROW}\n".encode() + b"0,\xe9")
    with pytest.raises(ShardError, match=r"bad.csv, line 3: expected UTF-8 text, saw .* 0xe9"):
        read_shard(path)


def test_no_such_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file, or a folder, keeps its usual class and attributes and says what to do."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"as prepare\(\) makes them: 'gone.csv'") as gone:
        read_shard("gone.csv")
    assert gone.value.filename == "gone.csv" and gone.value.errno
    Path("folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"as prepare\(\) makes them: 'folder'"):
        read_shard("folder")


@settings(deadline=None)  # other work on the machine slows no test into failing
@given(
    value=st.text(st.characters(exclude_characters=",\r\n", codec="utf-8")), at=st.integers(0, 64)
)
def test_any_text_in_a_cell(tmp_path_factory: pytest.TempPathFactory, value: str, at: int) -> None:
    """A cell is either one of the few right values or is pointed at."""
    path = tmp_path_factory.getbasetemp() / "cell.csv"
    path.write_text(f"{HEADER}\n{ROW}\n{cell(at, value)}\n", encoding="utf-8", newline="")
    if value in [str(i) for i in range(10 if at == 64 else 17)]:
        shard = read_shard(path)
        assert [*shard.images[1], shard.labels[1]][at] == int(value)
    else:
        with pytest.raises(ShardError, match=f"cell.csv, line 3, {COLUMNS[at]}: expected"):
            read_shard(path)


@settings(deadline=None)  # other work on the machine slows no test into failing
@given(tail=st.binary())
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    """Whatever comes after a good line is refused with the reader's own error."""
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(f"{HEADER}\n{ROW}\n".encode() + tail)
    if tail in (b"", b"\n"):
        return
    with pytest.raises(ShardError, match=r"bytes\.csv, line "):
        read_shard(path)


def test_load_shard_leaves_the_loop_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a file is being read the loop runs other tasks: here one that lets the read end."""
    let_go = threading.Event()
    shard = Shard("a.csv", np.zeros((1, 64), np.uint8), np.zeros(1, np.int64))

    def read(path: str) -> Shard:
        assert let_go.wait(timeout=30), "the loop was blocked"
        return shard

    async def main() -> Shard:
        asyncio.get_running_loop().call_later(0.001, let_go.set)
        return await load_shard("a.csv")

    monkeypatch.setattr(load, "read_shard", read)
    assert asyncio.run(main()) is shard


def test_load_shard_raises_what_read_shard_raises(tmp_path: Path) -> None:
    """Errors cross the thread unchanged."""
    path = tmp_path / "bad.csv"
    path.write_text(HEADER)
    with pytest.raises(ShardError, match=r"bad\.csv, line 2: expected an image"):
        asyncio.run(load_shard(path))
