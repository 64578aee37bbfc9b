"""The world to load: real images of digits, as CSV shards and as one SQLite file."""

import errno
import hashlib
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["COLUMNS", "HELD_OUT", "DataError", "Prepared", "prepare"]

#: The columns of a shard: 64 pixels from 0 to 16, row by row, and the digit that they show.
COLUMNS = (*(f"pixel{i}" for i in range(64)), "label")

#: The last images of scikit-learn's 1,797 are for loading; the model never sees them in training.
HELD_OUT = 1000

_CHECKSUMS = "checksums.sha256"  # what was made, as sha256sum tells it

_ADVICE = (
    "prepare() keeps the images there: let it be read and written to, make room on the disk, or "
    'name another folder, as in prepare("elsewhere")'
)
_TABLE = """
CREATE TABLE images (
    id INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    position INTEGER NOT NULL,
    pixels BLOB NOT NULL CHECK (length(pixels) = 64),
    label INTEGER NOT NULL CHECK (label BETWEEN 0 AND 9),
    UNIQUE (dataset, position)
)
"""


class DataError(ValueError):
    """A file is not as it was made; the message names it, and says what to do."""


class Prepared(NamedTuple):
    """Where the images lie: one path for each CSV shard, and the path of the database."""

    files: list[Path]
    database: Path


class _Image(NamedTuple):
    dataset: str
    position: int
    pixels: bytes
    label: int


def prepare(folder: str | Path = "data", files: int = 10) -> Prepared:
    """Put real digit images on the disk, once, for the course to load.

    The images are the last 1,000 of scikit-learn's bundled digits (8 x 8 pixels from 0 to 16;
    E. Alpaydin and C. Kaynak, UCI repository, 1998), dealt in order and evenly:
    ``1000 // files`` to a shard, what is over is left out. What is there already is looked at
    and kept, so a second call returns at once; a file that was deleted is made anew, with the same
    bytes. One that was changed, or cut short, is named and left alone: it may hold your own work.

    Parameters
    ----------
    folder
        Where to put them; made if need be. Each number of files gets a subfolder of its own.
    files
        How many CSV shards, from 1 to 1,000.

    Returns
    -------
    Prepared
        ``files``: the paths of ``dataset1.csv``, ``dataset2.csv``, and so on. The first line
        names the 65 columns, each other line is an image.
        ``database``: the path of an SQLite file with the same images in the table ``images``:
        ``dataset`` (``'dataset1'``), ``position`` in it from 0, ``pixels`` (64 bytes), ``label``.

    Raises
    ------
    TypeError, ValueError
        If ``files`` is no whole number from 1 to 1,000.
    DataError
        If a file is not as it was made, or something else is in its place.
    OSError
        If the folder cannot be read or written to, as when it is read-only or the disk is full.

    Examples
    --------
    >>> files, database = prepare("data", files=10)
    >>> files[0].as_posix(), database.as_posix()
    ('data/digits-10/dataset1.csv', 'data/digits-10/datasets.sqlite')
    """
    if not isinstance(files, int) or isinstance(files, bool):
        raise TypeError(
            f"files must be a whole number such as 10, not {files!r} ({type(files).__name__})"
        )
    if not 1 <= files <= HELD_OUT:
        raise ValueError(
            f"files={files}, but there are {HELD_OUT} images to deal and each file needs one: "
            f"choose files from 1 to {HELD_OUT}"
        )
    home = Path(folder) / f"digits-{files}"
    made = Prepared(
        [home / f"dataset{number}.csv" for number in range(1, files + 1)],
        home / "datasets.sqlite",
    )
    paths = (*made.files, made.database)
    with _told(folder):
        _clear(home.parent)
        if _told_checksums(home) != _checksums(paths):
            _put(home, paths, files)
    return made


@contextmanager
def _told(folder: str | Path) -> Iterator[None]:
    """Say of what the system refuses what to do about it."""
    try:
        yield
    except sqlite3.Error as error:  # so it tells of a full disk
        raise OSError(errno.EIO, f"{error}; {_ADVICE}", str(folder)) from None
    except OSError as error:
        what = f"{error.strerror}; {_ADVICE}"
        raise type(error)(error.errno, what, error.filename or str(folder)) from None


def _checksums(paths: Iterable[Path]) -> str:
    return "".join(f"{_checksum(path)}  {path.name}\n" for path in paths)


def _checksum(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        return "none"


def _told_checksums(home: Path) -> str:
    try:
        return (home / _CHECKSUMS).read_text("ascii", "replace")
    except FileNotFoundError:
        return ""


def _clear(folder: Path) -> None:
    """Remove what a run that was killed has left there, but not what one still works on."""
    for making in folder.glob(".making-*"):
        import psutil

        process = re.fullmatch(r"\.making-(\d+)-.*", making.name)
        if process is None or not psutil.pid_exists(int(process[1])):
            shutil.rmtree(making, ignore_errors=True)


def _put(home: Path, paths: Iterable[Path], files: int) -> None:
    """Make all anew, and put in place what is missing, unless what is there differs."""
    home.mkdir(parents=True, exist_ok=True)
    # Each file appears whole or not at all. Two processes at once put the same bytes there.
    prefix = f".making-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=home.parent) as name:
        making = Path(name)
        _make(making, files)
        for path in paths:
            if path.exists() and (fault := _fault(path, (making / path.name).read_bytes())):
                raise DataError(
                    f"{path} {fault}: delete it and run prepare() again, which makes it anew; "
                    "to keep it, give it another name first"
                )
        (making / _CHECKSUMS).write_text(_checksums(making / path.name for path in paths))
        for path in (*paths, home / _CHECKSUMS):
            if not path.exists() or path.name == _CHECKSUMS:
                os.replace(making / path.name, path)


def _fault(path: Path, made: bytes) -> str | None:
    """Say what is wrong with what is there, beside what was made."""
    if path.is_dir():
        return "is a folder, where a file should be"
    found = path.read_bytes()
    if found == made:
        return None
    if not found:
        return "is empty"
    if made.startswith(found):
        return f"ends after {len(found):,} of {len(made):,} bytes"
    both = enumerate(zip(found, made, strict=False))
    byte = next((at for at, (here, there) in both if here != there), len(made))
    return f"is not as it was made, from byte {byte + 1:,} on"


def _make(folder: Path, files: int) -> None:
    images = list(_deal(files))
    lines: dict[str, list[str]] = {}
    for image in images:
        shard = lines.setdefault(image.dataset, [",".join(COLUMNS)])
        shard.append(",".join(map(str, (*image.pixels, image.label))))
    for dataset, shard in lines.items():
        Path(folder, f"{dataset}.csv").write_bytes("\n".join([*shard, ""]).encode())
    _make_database(folder / "datasets.sqlite", images)


def _make_database(path: Path, images: list[_Image]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_TABLE)
        database.executemany(
            "INSERT INTO images (dataset, position, pixels, label) VALUES (?, ?, ?, ?)", images
        )
    # Bytes 96 to 99 name the version of the library that wrote the file, for information only
    # (https://sqlite.org/fileformat.html, section 1.3): blank, so that all machines agree.
    with path.open("r+b") as file:
        file.seek(96)
        file.write(bytes(4))


def _deal(files: int) -> Iterator[_Image]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    held_out = zip(pixels[-HELD_OUT:].astype("uint8"), labels[-HELD_OUT:].tolist(), strict=True)
    size = HELD_OUT // files
    for index, (image, label) in zip(range(files * size), held_out, strict=False):
        yield _Image(f"dataset{index // size + 1}", index % size, image.tobytes(), label)
