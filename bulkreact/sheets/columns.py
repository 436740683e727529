"""The columns of inputs and results: their names, and which header holds what; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkreact.settings import is_guid
from bulkreact.sheets.guard import unguard
from bulkreact.sheets.headers import column_of, key, nearest

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


def layout(header: Sequence[str], named: Mapping[str, str] | None = None, *, guarded: bool = True) -> Layout:
    """Find the columns by what people call them; ``named`` says of some which header holds them.

    Where the cells of a results file are ``guarded``, its names are so as well, and lose that guard here.
    """
    named = named or {}
    if missing := [column for column in missing_columns(header) if column not in named]:
        raise ColumnError(_missing(header, missing))
    ids = tuple(_position(header, column, named.get(column)) for column in ID_COLUMNS)
    if len(set(ids)) < len(ids):
        raise ColumnError("--map names one header for two columns")
    results = {}
    # Not by their keys: a column of the sender's, like 'Request ID', is none of ours. Ours are the last of their name.
    exact = {name.strip().casefold(): place for place, name in enumerate(header)}
    if set(RESULT_COLUMNS) <= set(exact):
        results = {name: exact[name] for name in RESULT_COLUMNS}
        header = [unguard(name) for name in header] if guarded else header
    replaced = set(results.values())
    kept = tuple(place for place in range(len(header)) if place not in replaced)
    return Layout((ids[0], ids[1], ids[2]), kept, _kept_names([header[place] for place in kept]), results)


def is_header(record: Sequence[str], named: Mapping[str, str]) -> bool:
    """Tell whether a record names every id column that is needed."""
    keys = {key(name) for name in record}
    return all(column not in named or key(named[column]) in keys for column in ID_COLUMNS) and not [
        column for column in missing_columns(record) if column not in named
    ]


def missing_columns(header: Sequence[str]) -> list[str]:
    """Return the id columns that a header lacks."""
    found = {column_of(name) for name in header}
    return [column for column in ID_COLUMNS if column not in found]


def _missing(header: Sequence[str], missing: list[str]) -> str:
    if sum(is_guid(name.strip()) for name in header) >= len(ID_COLUMNS):
        return (
            f"the first line has ids and no names. Put this line above it: {','.join(ID_COLUMNS)} (in the file's order)"
        )
    shown = ", ".join(map(repr, header))
    near = [f"--map {column}={name!r}" for column in missing if (name := nearest(column, header))]
    hint = f" Perhaps: {' '.join(near)}" if near else ""
    return f"missing in the header: {', '.join(missing)}. The first line must name the columns; it has: {shown[:500]}.{hint}"


def _position(header: Sequence[str], column: str, named: str | None) -> int:
    """Return where a column stands; a header that --map names need not be one that is known."""
    if named is None:
        places = [place for place, name in enumerate(header) if column_of(name) == column]
        if len(places) > 1:
            claims = " and ".join(repr(header[place]) for place in places)
            words = f"rename all but one, or choose with --map {column}=HEADER"
            raise ColumnError(f"{len(places)} columns claim to be {column}: {claims}; {words}")
        return places[0]
    exact = [place for place, name in enumerate(header) if name.strip() == named.strip()]
    places = exact or [place for place, name in enumerate(header) if key(name) == key(named)]
    if len(places) != 1:
        raise ColumnError(
            f"--map {column}={named}: {'no' if not places else 'more than one'} column is called that; "
            f"there are: {', '.join(map(repr, header))}"
        )
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
