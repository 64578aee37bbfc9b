"""The course's API as a classroom has it: by its command, with an address that it prints."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.world import prepare


@contextmanager
def classroom(folder: Path, *arguments: str) -> Iterator[str]:
    """Run ``python -m helpers.world.api`` over ten shards while entered; give its address."""
    prepare(folder)
    server = subprocess.Popen(
        [sys.executable, "-m", "helpers.world.api", f"--folder={folder}/digits-10", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        line = server.stdout.readline()
        assert "serves 10 shards" in line
        yield line.split()[0]
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
