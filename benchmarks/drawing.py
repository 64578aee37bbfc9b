"""A picture of a run, from call to PNG, beside plain matplotlib drawing the same bars."""

import asyncio
import io
from collections.abc import Iterator
from copy import copy

from helpers import Run, infer, load_data, simulate
from helpers.screen import png, timeline

from .measure import ROUNDS, Row, by_turns, compared


async def load_and_infer(path: str, limit: asyncio.Semaphore) -> str:
    async with limit:
        data = await load_data(path)
    return await infer("model", data)


async def pipeline(first: int, files: int) -> None:
    limit = asyncio.Semaphore(10)
    numbers = range(first, first + files)
    await asyncio.gather(*(load_and_infer(f"dataset{i}.csv", limit) for i in numbers))


def ours(run: Run) -> bytes:
    return png(timeline(run))


def plainly(run: Run, size: tuple[float, float]) -> bytes:
    """Draw the same bars as one does who knows matplotlib: no hatching, no lane for the loop."""
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=size, dpi=100)
    colours: dict[str, str] = {}
    for row, lane in enumerate(run.lanes):
        for s in lane.segments:
            if s.end > s.start:
                new = s.call not in colours
                colour = colours.setdefault(s.call, f"C{len(colours)}")
                label = s.call if new else None
                ax.barh(row, s.end - s.start, left=s.start, color=colour, label=label)
    ax.set_yticks(range(len(run.lanes)), [lane.name for lane in run.lanes], fontfamily="monospace")
    ax.invert_yaxis()
    ax.set_xlabel("seconds")
    ax.set_title(repr(run), loc="left")
    figure.legend(loc="lower center", ncols=len(colours))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return buffer.getvalue()


def rows(rounds: int = ROUNDS, lanes: int = 2_000) -> Iterator[Row]:
    import matplotlib

    matplotlib.use("agg")
    # Another run for each round, so that no lane and no name has been drawn before.
    runs = [simulate(pipeline, 100 * i, 50) for i in range(rounds + 1)]
    few = iter([copy(run) for run in runs])  # they have yet to develop their lanes
    many = iter([simulate(pipeline, 10_000 * i, lanes) for i in range(1, rounds + 2)])
    width, height = timeline(simulate(pipeline, 90_000, 50)).get_size_inches()
    assert all(len(run.lanes) == 50 for run in runs)
    same = iter(runs)

    took = by_turns(
        rounds,
        plain=lambda: plainly(next(same), (width, height)),
        few=lambda: ours(next(few)),
        many=lambda: ours(next(many)),
    )
    plain = "plain matplotlib, 50 lanes"
    yield compared(took, "few", "plain", "picture of 50 lanes, to PNG", plain, 1.0)
    yield compared(took, "many", "plain", f"picture of {lanes:,} lanes, to PNG", plain, 3.0)
