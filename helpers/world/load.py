"""Loading, pretend and real: coroutines that wait for their data."""

import asyncio
import random
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .data import COLUMNS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Shard",
    "ShardError",
    "load_data",
    "load_seconds",
    "load_shard",
    "parse_shard",
    "read_shard",
    "uneven_seconds",
]

_PIXELS = frozenset(map(str, range(17)))
_LABELS = frozenset(map(str, range(10)))


def uneven_seconds(key: str, low: float, high: float) -> float:
    """Draw a waiting time for `key`: mostly near `low`, for a few stragglers near `high`.

    The draw is ``low + (high - low) * u**2`` with ``u`` even between 0 and 1, so that half of
    all keys wait less than a quarter of the range. The key alone decides ``u``: every run,
    machine and notebook sees the same.

    Parameters
    ----------
    key
        Any text.
    low, high
        The range, in seconds.

    Returns
    -------
    float
        Seconds, to the hundredth.

    Examples
    --------
    >>> [uneven_seconds(key, 0.5, 1.5) for key in ("a", "b", "c", "d")]
    [0.57, 1.02, 0.74, 0.65]
    """
    return round(low + (high - low) * random.Random(key).random() ** 2, 2)


def load_seconds(path: str | Path, *, seed: int = 5810) -> float:
    """Tell how long `load_data` will wait for this file: 0.5 to 1.5 seconds, as in the article.

    Only the file's name and `seed` matter, not its folder.

    Examples
    --------
    >>> [load_seconds(f"dataset{i}.csv") for i in (1, 2, 3)]
    [0.65, 1.46, 0.5]
    """
    return uneven_seconds(f"{seed} load {Path(path).name}", 0.5, 1.5)


async def load_data(path: str | Path, *, seed: int = 5810) -> str:
    """Pretend to load a file: wait for `load_seconds`, then name what was loaded.

    Nothing is read, so the file need not exist; `load_shard` reads real ones.

    Parameters
    ----------
    path
        Any file name.
    seed
        Another seed is another day: the same files, other waiting times.

    Returns
    -------
    str
        Such as ``'dataset1 images'``.

    Examples
    --------
    In a notebook, plainly ``await load_data("dataset1.csv")``; in a script:

    >>> asyncio.run(load_data("dataset1.csv"))
    'dataset1 images'
    """
    await asyncio.sleep(load_seconds(path, seed=seed))
    return f"{Path(path).stem} images"


class ShardError(ValueError):
    """A shard is not what it should be; the message names file, line, expected and seen."""


@dataclass(frozen=True, repr=False, eq=False)
class Shard:
    """The images of one file.

    Attributes
    ----------
    name
        The file's name, such as ``'dataset1.csv'``.
    images
        Whole numbers from 0 (paper) to 16 (ink), shape (n, 64): 8 x 8 pixels, row by row.
    labels
        The digits that they show, from 0 to 9, shape (n,).
    """

    name: str
    images: "NDArray[np.uint8]"
    labels: "NDArray[np.int64]"

    def __repr__(self) -> str:
        count = len(self.labels)
        return f"Shard({self.name!r}, {count} image{'' if count == 1 else 's'})"


def read_shard(path: str | Path) -> Shard:
    """Read a CSV shard, as `helpers.world.data.prepare` makes them. Blocks until it is read.

    Parameters
    ----------
    path
        The file: a line that names the 65 columns, then a line for each image.

    Returns
    -------
    Shard
        Its images (n, 64) and labels (n,), with n at least 1.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ShardError
        If the file holds anything else; a `ValueError` that names the first line at fault.

    Examples
    --------
    >>> from helpers.world.data import prepare
    >>> shard = read_shard(prepare("data").files[0])
    >>> shard
    Shard('dataset1.csv', 100 images)
    >>> shard.images.shape, shard.labels[:5].tolist()
    ((100, 64), [1, 2, 3, 4, 5])
    """
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, IsADirectoryError) as error:
        what = f"{error.strerror}; expected a CSV shard, as prepare() makes them"
        raise type(error)(error.errno, what, str(path)) from None
    return _shard(path, content)


def parse_shard(name: str, content: bytes) -> Shard:
    """Make a shard of the bytes that its file holds, wherever they come from.

    Returns and raises what `read_shard` does, once the file is read.

    Examples
    --------
    >>> from helpers.world.data import prepare
    >>> parse_shard("dataset1.csv", prepare("data").files[0].read_bytes())
    Shard('dataset1.csv', 100 images)
    """
    return _shard(name, content)


async def load_shard(path: str | Path) -> Shard:
    """Read a CSV shard in a thread, so that the event loop can go on meanwhile.

    Takes, returns and raises what `read_shard` does.

    Examples
    --------
    >>> from helpers.world.data import prepare
    >>> asyncio.run(load_shard(prepare("data").files[1]))
    Shard('dataset2.csv', 100 images)
    """
    return await asyncio.to_thread(read_shard, path)


def _shard(path: str | Path, content: bytes) -> Shard:
    import numpy as np

    lines = _lines(path, content)
    if fault := _find_fault(lines):
        raise ShardError(f"{path}, {fault}")
    values = np.loadtxt(lines[1:], np.uint8, delimiter=",", ndmin=2)
    return Shard(Path(path).name, values[:, :-1].copy(), values[:, -1].astype(np.int64))


def _lines(path: str | Path, content: bytes) -> list[str]:
    try:
        text = content.decode("utf-8-sig")  # spreadsheets put a signature first
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        seen = f"the byte 0x{error.object[error.start]:02x}"
        raise ShardError(f"{path}, line {line}: expected UTF-8 text, saw {seen}") from None
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _find_fault(lines: list[str]) -> str | None:
    header, *rows = (line.split(",") for line in lines)
    if header != list(COLUMNS):
        seen = "an empty file" if lines == [""] else _short(header)
        return f"line 1: expected the header {_short(COLUMNS)}, saw {seen}"
    if not rows:
        return "line 2: expected an image, saw the end of the file"
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS):
            seen = "a blank line" if row == [""] else f"{len(row)}: {_short(row)}"
            return f"line {number}: expected {len(COLUMNS)} columns (64 pixels, label), saw {seen}"
        if not _PIXELS.issuperset(row[:-1]):
            column = next(i for i, cell in enumerate(row) if cell not in _PIXELS)
            return _wrong_cell(number, row, column, "a whole number from 0 to 16")
        if row[-1] not in _LABELS:
            return _wrong_cell(number, row, -1, "a digit from 0 to 9")
    return None


def _wrong_cell(number: int, row: list[str], column: int, expected: str) -> str:
    seen = reprlib.repr(row[column])
    return f"line {number}, {COLUMNS[column]}: expected {expected}, saw {seen}"


def _short(cells: Sequence[str]) -> str:
    return reprlib.repr(",".join(cells))
