"""Draw the README's picture: the same three files, one after the other and each on its own way."""

import asyncio
from pathlib import Path

from helpers import infer, load_data, simulate
from helpers.screen.plot import compare, png

PICTURE = Path(__file__).parent.parent / "docs" / "sequential-and-concurrent.png"
FILES = ["dataset1.csv", "dataset2.csv", "dataset3.csv"]


async def one(file: str) -> str:
    return await infer("model", await load_data(file))


async def sequential() -> list[str]:
    return [await one(file) for file in FILES]


async def concurrent() -> list[str]:
    return await asyncio.gather(*(one(file) for file in FILES))


if __name__ == "__main__":
    names = ("one after the other", "gather")
    PICTURE.write_bytes(png(compare(simulate(sequential), simulate(concurrent), names=names)))
