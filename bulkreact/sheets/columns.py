"""The columns of inputs and results: their names, and which header holds what; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from bulkreact.sheets.guard import unguard

ID_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")
RESULT_COLUMNS = (
    "row",
    "status",
    "http_status",
    "error_code",
    "error_description",
    "advice",
    "attempts",
    "request_id",
    "correlation_id",
    "started_at",
    "finished_at",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in a table, as positions of its columns.

    ``kept`` are the columns carried into the results and ``header`` their names there; ``results`` maps the
    result columns of a file that is itself a results file, and is empty for any other.
    """

    ids: tuple[int, int, int]
    kept: tuple[int, ...]
    header: tuple[str, ...]
    results: dict[str, int]


class ColumnError(Exception):
    """The header does not say where the ids are; the message says what is missing or claimed twice."""


def layout(header: Sequence[str]) -> Layout:
    """Find the columns by their names, without regard to case, spaces, dashes and underscores.

    The names of a results file are guarded like its cells, and lose that guard here.
    """
    keys = [_key(name) for name in header]
    if missing := missing_columns(header):
        shown = ", ".join(map(repr, header))
        raise ColumnError(
            f"missing in the header: {', '.join(missing)}. The first line must name the columns; it has: {shown[:500]}"
        )
    ids = tuple(_position(header, keys, column) for column in ID_COLUMNS)
    results = {}
    if {_key(name) for name in RESULT_COLUMNS} <= set(keys):
        results = {name: keys.index(_key(name)) for name in RESULT_COLUMNS}
        header = [unguard(name) for name in header]
    replaced = {_key(name) for name in results}
    kept = tuple(place for place, key in enumerate(keys) if key not in replaced)
    return Layout((ids[0], ids[1], ids[2]), kept, _kept_names([header[place] for place in kept]), results)


def missing_columns(header: Sequence[str]) -> list[str]:
    """Return the id columns that a header lacks."""
    keys = {_key(name) for name in header}
    return [column for column in ID_COLUMNS if _key(column) not in keys]


def _key(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalnum())


def _position(header: Sequence[str], keys: list[str], column: str) -> int:
    places = [place for place, key in enumerate(keys) if key == _key(column)]
    if len(places) > 1:
        claims = " and ".join(repr(header[place]) for place in places)
        raise ColumnError(f"{len(places)} columns claim to be {column}: {claims}; rename all but one")
    return places[0]


def _kept_names(header: list[str]) -> tuple[str, ...]:
    """Rename input columns that have a result column's name, so that none is lost."""
    taken = {name.casefold() for name in (*header, *RESULT_COLUMNS)}
    names = []
    for name in header:
        kept = name
        if name.strip().casefold() in RESULT_COLUMNS:
            kept = f"input.{name}"
            while kept.casefold() in taken:
                kept = f"input.{kept}"
            taken.add(kept.casefold())
        names.append(kept)
    return tuple(names)
