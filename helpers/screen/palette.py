"""Which colour a call has: the same in every picture of a kernel, and the course's own always."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["COLOURS", "OTHER", "colours_of"]

# Okabe and Ito's palette, which colour-blind people can tell apart (jfly.uni-koeln.de/color), and
# four darker ones.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
OTHER = "#777777"
_FREE = ("#009e73", "#cc79a7", "#332288", "#999933", "#882255", "#7f5539", "#9467bd")
_MOST = 8  # calls of one picture that have a colour
_given = {
    "load_data": "#0072b2",
    "infer": "#e69f00",
    "load_shard": "#56b4e9",
    "infer_shard": "#d55e00",
}


def colours_of(calls: Iterable[str]) -> dict[str, str]:
    """Return a colour for each call, the most prominent first; those beyond the eighth are grey.

    A call that has none yet gets one that none of the others has, and keeps it. In the rare case
    that two calls have the same one, the less prominent of them is grey in that picture.

    Examples
    --------
    >>> colours_of(["load_data", "infer"])
    {'load_data': '#0072b2', 'infer': '#e69f00'}
    """
    calls = list(dict.fromkeys(calls))
    coloured = calls[:_MOST]
    seen = {_given[call] for call in coloured if call in _given}
    for call in coloured:
        if call not in _given:
            palette = [colour for colour in _FREE if colour not in seen] or list(_FREE)
            counts = list(_given.values())
            _given[call] = min(palette, key=counts.count)
            seen.add(_given[call])
    found: dict[str, str] = {}
    for call in calls:
        colour = _given[call] if call in coloured else OTHER
        found[call] = OTHER if colour in found.values() else colour
    return found
