"""The steps of a run: who runs, who is ready in which order, who waits, and who has ended."""

import doctest

from helpers import infer, load_data, simulate
from helpers.camera import steps
from helpers.camera.steps import Steps


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(steps)
    assert result.attempted and not result.failed


async def pipeline() -> None:
    for file in ("a.csv", "b.csv"):
        await infer("model", await load_data(file))


def test_each_step_is_there_and_can_be_sliced() -> None:
    """In order, by number, from the end, and as a slice."""
    run = simulate(pipeline)
    found = Steps(run)
    assert (
        len(found)
        == len(list(found))
        == sum(
            segment.state == "running"
            for lane in (run.root, *run.lanes)
            for segment in lane.segments
        )
    )
    assert found[-1].time == run.seconds
    assert [step.time for step in found[2:4]] == [found[2].time, found[3].time]
    assert found.lane_count == 5
    assert [step.time for step in found] == sorted(step.time for step in found)
