"""TEACHING.md names cells that are there, minutes that add up, and what is really to be seen.

Where a notebook changed, the message says which row of TEACHING.md is to follow.
"""

import ast
import builtins
import contextlib
import inspect
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import pytest
from minutes import CORE_ENDS, WIDGET, measure, parts
from nbformat import NotebookNode

from helpers import simulate
from helpers.screen import be_the_loop

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
NOTEBOOKS = {path.stem[:2]: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
SHEETS = {"90 minutes": 90, "Half a day": 240}
WORDS = 1050  # two pages
ID = re.compile(r"^[a-z]+-\d+\w*$")

every_sheet = pytest.mark.parametrize("sheet", SHEETS)


def spans(text: str) -> list[str]:
    """What is written as code."""
    return re.findall(r"`([^`]+)`", text)


def ids(text: str) -> list[str]:
    return [span for span in spans(text) if ID.match(span)]


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    assert found, f"TEACHING.md has no section {title!r}"
    return found[1]


def table(title: str) -> list[list[str]]:
    """The rows of the table in a section, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[part.strip() for part in line[1:-1].split("|")] for line in lines[2:]]


@cache
def cells(notebook: str) -> list[NotebookNode]:
    found: list[NotebookNode] = nbformat.read(NOTEBOOKS[notebook], as_version=4).cells
    return found


@dataclass
class Row:
    """A row of a run-sheet."""

    start: str
    minutes: int
    can_go: bool
    notebook: str
    section: str
    ranges: str
    ask: str
    true: str

    @property
    def where(self) -> str:
        return f"TEACHING.md, the row at {self.start} ({self.ranges or self.ask})"

    @property
    def cells(self) -> list[NotebookNode]:
        """What is to be run, in order."""
        chosen: list[NotebookNode] = []
        there = {c.id: at for at, c in enumerate(cells(self.notebook))} if self.ranges else {}
        for part in filter(None, self.ranges.split(", ")):
            named = ids(part)
            missing = [name for name in named if name not in there]
            assert not missing, f"{self.where}: not in notebook {self.notebook}: {missing}"
            first, last = there[named[0]], there[named[-1]]
            assert first <= last, f"{self.where}: {named[0]} stands after {named[-1]}"
            chosen += cells(self.notebook)[first : last + 1]
        return chosen


def rows(sheet: str) -> list[Row]:
    made = []
    for start, minutes, where, ranges, ask, _, true in table(sheet):
        number, _, mark = minutes.partition(" ")
        notebook, _, part = where.partition(" ")
        made.append(Row(start, int(number), mark == "✂", notebook, part, ranges, ask, true))
    return made


def predicts(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and "**Predict" in cell.source


def is_widget(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and bool(WIDGET.search(cell.source))


def shown(cell: NotebookNode) -> str:
    """All text that the cell's stored output shows, in one line."""
    texts = [""]
    for output in cell.get("outputs", []):
        data = output.get("data", {}).get("text/plain", "")
        texts += [output.get("text", ""), data, output.get("evalue", "")]
    return " ".join(" ".join(texts).split())


def test_the_notebooks_of_the_sheets_and_those_that_follow_take_what_is_told():
    """The cores of the first six together, and of each other one."""
    opening = TEXT.partition("\n## ")[0]
    core = {number: measure(parts(cells(number))[0]).minutes for number in NOTEBOOKS}
    taught = {row.notebook for sheet in SHEETS for row in rows(sheet) if row.notebook}
    assert f"together take {sum(core.pop(number) for number in taught)} minutes" in opening
    told = re.search(r"the cores of ([^:]*?), on real work, take ([^:]*?) minutes", opening)
    assert told
    numbers, minutes = (re.findall(r"\d+", part) for part in told.groups())
    assert dict(zip(numbers, map(int, minutes), strict=True)) == core


@every_sheet
def test_the_minutes_add_up(sheet: str):
    """Each row begins when the one before it ends, and the last one ends in time."""
    now = 0
    for row in rows(sheet):
        assert row.start == f"{now // 60}:{now % 60:02}", row.where
        now += row.minutes
    assert now == SHEETS[sheet]


@every_sheet
def test_each_row_has_the_minutes_of_its_cells(sheet: str):
    """By the model of `tools/minutes.py`, not rounded; and a row without cells has no notebook."""
    for row in rows(sheet):
        assert bool(row.ranges) == bool(row.notebook), row.where
        part = measure(row.cells)
        model = part.words / 130 + part.lines / 12 + part.code_cells / 6
        model += part.predictions + 5 * part.widgets + 9 * part.exercises
        assert row.minutes >= model - 0.2, f"{row.where}: needs {math.ceil(model)} minutes"


@every_sheet
def test_cells_are_of_the_core_and_of_the_section_that_is_named(sheet: str):
    """A teacher finds a row by its notebook and section; nothing optional is on the way."""
    for row in rows(sheet):
        if not row.ranges:
            continue
        last, heading = row.cells[-1].id, ""
        for cell in cells(row.notebook):
            if cell.cell_type == "markdown":
                assert CORE_ENDS not in cell.source, f"{row.where}: {last} is optional"
                for number, name in re.findall(
                    r"^## (?:(\d)\.|(Exercise|Recap))", cell.source, re.M
                ):
                    heading = f"§ {number}" if number else name.lower()
            if cell.id == last:
                break
        assert row.section == heading, f"{row.where}: {last} stands in {heading!r}"


@every_sheet
def test_each_question_and_widget_on_the_way_is_asked(sheet: str):
    """The ids in *ask* are the row's own questions to predict and widgets, all of them."""
    earlier = {name for row in rows("90 minutes") for name in ids(row.ask)}
    for row in rows(sheet):
        wanted = [cell.id for cell in row.cells if predicts(cell) or is_widget(cell)]
        assert sorted(ids(row.ask)) == sorted(wanted), f"{row.where}: wants {wanted}"
        if row.ask.startswith("↑"):
            assert sheet != "90 minutes" and set(wanted) <= earlier, row.where
        elif wanted:
            assert row.true, f"{row.where}: says not what is true"


@every_sheet
def test_what_is_true_is_what_the_notebook_shows(sheet: str):
    """Each quotation stands in the stored output of one of the row's cells."""
    quoted = 0
    for row in rows(sheet):
        outputs = [shown(cell) for cell in row.cells]
        for span in spans(row.true):
            if span != "solutions/":
                quoted += 1
                assert any(span in text for text in outputs), f"{row.where}: {span!r} is not shown"
                assert not any(f"{span} (real)" in text for text in outputs), row.where
    assert quoted >= 12


def names(cell: NotebookNode) -> tuple[set[str], set[str]]:
    """Return the names that a cell binds, at any depth, and those that it reads."""
    lines = [line for line in cell.source.splitlines() if not line.startswith(("%", "!"))]
    bound, read = set(), set()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return bound, read


@every_sheet
@pytest.mark.parametrize("late", [False, True])
def test_a_path_needs_nothing_that_it_leaves_out(sheet: str, late: bool):
    """Every name is made by a cell on the way, also where the rows with ✂ are left out."""
    known = {notebook: {*dir(builtins), "Out", "_"} for notebook in NOTEBOOKS}
    for row in rows(sheet):
        for cell in row.cells if not (late and row.can_go) else []:
            if cell.cell_type == "code":
                bound, read = names(cell)
                known[row.notebook] |= bound
                missing = read - known[row.notebook]
                assert not missing, f"{row.where}: {cell.id} needs {missing}"


@every_sheet
def test_ten_minutes_can_be_saved(sheet: str):
    """The rows with ✂ add up, between any two breaks; and the advice names times of the sheet."""
    stretches = [0]
    for row in rows(sheet):
        if row.ranges:
            stretches[-1] += row.minutes * row.can_go
        else:
            stretches.append(0)
    assert min(stretches) >= 10
    advice = section(sheet).partition("**Late by ten minutes?**")[2]
    assert set(re.findall(r"\d:\d\d", advice)) <= {row.start for row in rows(sheet)}


@every_sheet
def test_a_sheet_has_two_pages(sheet: str):
    """No more: one has it in hand while one speaks."""
    assert len(re.findall(r"[\w.:-]*\w", section(sheet))) <= WORDS


def explorer(notebook: str, name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function and the controls of an explorer, as its notebook defines them.

    Of the cells above it, only definitions, imports and constants are run.
    """
    kept: dict[str, Any] = {}

    def explore(function: Callable[..., Any], **controls: Any) -> None:
        kept.update(function=function, controls=controls)

    scope: dict[str, Any] = {}
    definitions = (
        ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    )
    for cell in cells(notebook):
        if cell.cell_type == "code" and not cell.source.startswith("%"):
            for node in ast.parse(cell.source).body:
                constant = isinstance(node, ast.Assign) and all(
                    isinstance(target, ast.Name) and target.id.isupper() for target in node.targets
                )
                last = cell.id == name and isinstance(node, ast.Expr)
                if isinstance(node, definitions) or constant or last:
                    scope |= {"explore": explore} if last else {}
                    exec(compile(ast.Module([node], []), cell.id, "exec"), scope)
        if cell.id == name:
            break
    assert kept, f"TEACHING.md, Moves: {name} is no explorer of notebook {notebook}"
    return kept["function"], kept["controls"]


def owner(name: str) -> str:
    found = [nb for nb in NOTEBOOKS if any(cell.id == name for cell in cells(nb))]
    assert found, f"TEACHING.md, Moves: there is no cell {name}"
    return found[0]


MOVES = table("Moves")


@pytest.mark.parametrize("widget", dict.fromkeys(ids("".join(row[0] for row in MOVES))))
def test_moves_show_what_is_told(widget: str):
    """Each quotation is in what the run says or prints; and the controls allow each move."""
    function, controls = explorer(owner(widget), widget)
    values = {
        key: parameter.default for key, parameter in inspect.signature(function).parameters.items()
    }
    for _, move, seen in (row for row in MOVES if ids(row[0]) == [widget]):
        for code in spans(move):
            call = ast.parse(f"f({code})", mode="eval").body
            assert isinstance(call, ast.Call)
            for keyword in call.keywords:
                assert keyword.arg in controls, f"TEACHING.md, Moves, {widget}: {code}"
                values[keyword.arg] = ast.literal_eval(keyword.value)
        for key, control in controls.items():
            in_range = control[0] <= values[key] <= control[1] if type(control) is tuple else None
            assert in_range or values[key] in control, f"{widget} allows no {key}={values[key]!r}"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            run = simulate(function, **values)
        told = f"{run!r}\n{printed.getvalue()}"
        for span in spans(seen):
            assert span in told, f"TEACHING.md, Moves, {widget}, {move}: {span!r} is not in {told}"


def test_each_explorer_that_is_projected_has_moves():
    """And nothing else has: a sheet without the widget would not need them."""
    asked = {name for sheet in SHEETS for row in rows(sheet) for name in ids(row.ask)}
    all_cells = {cell.id: cell for nb in NOTEBOOKS for cell in cells(nb)}
    projected = {name for name in asked if "\nexplore(" in f"\n{all_cells[name].source}"}
    assert projected == set(ids("".join(row[0] for row in MOVES)))


def test_the_picks_win_the_game():
    """Who picks as the sheet says is right each time."""
    (row,) = [row for row in rows("90 minutes") if "The picks: " in row.true]
    scope: dict[str, Any] = {}
    for cell in cells(row.notebook):
        if cell.cell_type == "code" and cell.id in ("loop-01", row.cells[0].id):
            exec(cell.source, scope)
    game = be_the_loop(simulate(scope["shift"])).game
    for name in row.true.partition("The picks: ")[2].rstrip(".").split(", "):
        (lane,) = [lane for lane in game.lanes if repr(name)[1:-1] in lane.name]
        assert game.pick(lane).startswith("✔"), f"{row.where}: {name} is wrong at {game.now} s"
    assert game.over and game.right == game.asked
