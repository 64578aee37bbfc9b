"""The world to load: real images of digits, as CSV shards and as one SQLite file."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

__all__ = ["COLUMNS", "HELD_OUT", "Prepared", "prepare"]

#: The columns of a shard: 64 pixels from 0 to 16, row by row, and the digit that they show.
COLUMNS = (*(f"pixel{i}" for i in range(64)), "label")

#: The last images of scikit-learn's 1,797 are for loading; the model never sees them in training.
HELD_OUT = 1000

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
    ``1000 // files`` to a shard, what is over is left out. What is there already is kept, so
    a second call returns at once; a file that was deleted is made anew, with the same bytes.

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
    missing = [path for path in (*made.files, made.database) if not path.exists()]
    if missing:
        home.mkdir(parents=True, exist_ok=True)
        # Each file appears whole or not at all. Two processes at once put the same bytes there.
        with tempfile.TemporaryDirectory(prefix=".making-", dir=home.parent) as making:
            _make(Path(making), files)
            for path in missing:
                os.replace(Path(making, path.name), path)
    return made


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
