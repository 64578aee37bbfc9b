"""Pictures are the same whatever the user's settings are, which stay theirs."""

import asyncio
import contextlib
import doctest
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import matplotlib
import matplotlib.style
import pytest
from matplotlib.figure import Figure

from helpers import Run, simulate
from helpers.screen import letters
from helpers.screen import style as module
from helpers.screen.plot import compare, curve, png, timeline
from helpers.screen.style import in_our_style


async def failing() -> None:
    async def part(number: int) -> None:
        await asyncio.sleep(number)
        raise ValueError("no such $file")

    await asyncio.gather(*(part(number) for number in range(1, 5)))


def pictures(run: Run) -> list[bytes]:
    letters._image.cache_clear()  # names are kept as images
    lines = {"one": [1.0, 2.0], "two": [2.0, 1.0]}
    return [
        png(timeline(run)),
        png(compare(run, run)),
        png(curve([1, 2], lines, xlabel="x", ylabel="y", title="t")),
        png(curve([1, 20], lines, xlabel="x", ylabel="y", log=True)),
    ]


STYLES: dict[str, dict[str, Any] | str] = {
    "usetex": {"text.usetex": True},
    "tight": {"savefig.bbox": "tight", "savefig.pad_inches": 1.0},
    "dpi": {"savefig.dpi": 300, "figure.dpi": 50, "figure.figsize": (2, 2)},
    "paper": {"savefig.facecolor": "red", "savefig.transparent": True, "savefig.format": "svg"},
    "fonts": {
        "font.family": "serif",
        "font.size": 30,
        "font.weight": "bold",
        "font.sans-serif": ["None such"],
        "font.monospace": ["None such"],
    },
    "constrained": {"figure.constrained_layout.use": True},
    "tight layout": {"figure.autolayout": True},
    "axes": {
        "axes.grid": True,
        "axes.facecolor": "red",
        "axes.titlesize": 40,
        "axes.titley": 0.5,
        "axes.linewidth": 5,
        "axes.xmargin": 0.4,
        "axes.formatter.use_mathtext": True,
        "axes.unicode_minus": False,
    },
    "lines": {"lines.linewidth": 9, "lines.antialiased": False, "patch.linewidth": 9},
    "hatches": {"hatch.linewidth": 4, "hatch.color": "red"},
    "paths": {"path.sketch": (1, 100, 2), "path.simplify": False, "agg.path.chunksize": 3},
    "texts": {"text.color": "red", "text.hinting": "none", "text.antialiased": False},
    "legend": {"legend.frameon": True, "legend.fontsize": 40, "legend.loc": "best"},
    "ticks": {"xtick.direction": "in", "xtick.major.size": 20, "xtick.labelsize": 30},
    "dark": "dark_background",
    "ggplot": "ggplot",
    "classic": "classic",
}


@pytest.mark.parametrize("name", STYLES)
def test_pictures_are_the_same_byte_by_byte(name: str) -> None:
    """With the user's settings and without; and the user's are as they were."""
    run = simulate(failing)
    plain = pictures(run)
    style = STYLES[name]
    context = (
        matplotlib.style.context(style) if isinstance(style, str) else matplotlib.rc_context(style)
    )
    with context:
        before = dict(matplotlib.rcParams.copy())
        assert pictures(run) == plain
        assert dict(matplotlib.rcParams.copy()) == before
    assert type(matplotlib.rcParams) is matplotlib.RcParams


def test_a_figure_of_ours_is_in_our_style_however_it_is_saved(tmp_path: Any) -> None:
    """A learner may save what `timeline` returned."""
    figure = timeline(simulate(failing))
    figure.savefig(tmp_path / "plain.png")
    with matplotlib.rc_context({"savefig.dpi": 300, "savefig.bbox": "tight"}):
        figure.savefig(tmp_path / "other.png")
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_the_users_own_figures_keep_the_users_style() -> None:
    """What is not ours is drawn as it is."""
    figure = Figure()
    small = png(figure)
    with matplotlib.rc_context({"savefig.dpi": 300}):
        assert png(figure) != small


def test_other_threads_see_their_settings_and_may_set_them() -> None:
    """While this one draws: what they read is the user's, and what they set stays."""

    def other() -> float:
        seen = matplotlib.rcParams["font.size"]
        matplotlib.rcParams["lines.linewidth"] = 7.0
        return float(seen)

    with matplotlib.rc_context({"font.size": 30.0}), ThreadPoolExecutor(1) as pool:
        with in_our_style():
            assert matplotlib.rcParams["font.size"] == 10.0
            assert pool.submit(other).result() == 30.0
            assert matplotlib.rcParams["lines.linewidth"] == 1.5
        assert matplotlib.rcParams["font.size"] == 30.0
        assert matplotlib.rcParams["lines.linewidth"] == 7.0


def test_only_one_thread_draws_at_a_time() -> None:
    """Each in our style; it may be entered again from within."""
    inside, most = 0, 0

    def draw(number: int) -> float:
        nonlocal inside, most
        with in_our_style(), in_our_style():
            inside += 1
            most = max(most, inside)
            size = float(matplotlib.rcParams["font.size"])
            inside -= 1
        return size

    with matplotlib.rc_context({"font.size": 30.0}), ThreadPoolExecutor(4) as pool:
        assert set(pool.map(draw, range(200))) == {10.0}
        assert most == 1


@pytest.mark.parametrize("leave", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_settings_come_back_whatever_happens(leave: Callable[[], BaseException]) -> None:
    """Also from an interrupt in the midst of drawing."""
    with contextlib.suppress(BaseException), in_our_style():
        raise leave()
    assert type(matplotlib.rcParams) is matplotlib.RcParams
    assert not module.lock._is_owned()  # type: ignore[attr-defined]


def test_a_font_of_another_weight_is_no_warning_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """But of the user's own drawing it still is one."""
    log = logging.getLogger("matplotlib.font_manager")
    with in_our_style():
        log.warning("ours")
        other = threading.Thread(target=log.warning, args=("theirs, meanwhile",))
        other.start()
        other.join()
    log.warning("theirs")
    assert caplog.messages == ["theirs, meanwhile", "theirs"]


def test_examples() -> None:
    """The examples in the docstrings give what they say."""
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
