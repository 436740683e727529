"""The columns of inputs and results: their names, and which header holds what; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkreact.guids import is_guid
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.header_aliases import closest_header, column_of, header_key

ID_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")
# What a row may say besides its ids.
KIND = "kind"
RESTORE_AUTO_RENEW = "restore_auto_renew"
CANCELLED_ON = "cancelled_on"
DEADLINE = "deadline"
CANDIDATES = "candidates"
OPTIONAL_COLUMNS = (KIND, RESTORE_AUTO_RENEW, CANCELLED_ON, DEADLINE, CANDIDATES)
MAPPED_COLUMNS = (*ID_COLUMNS, KIND, RESTORE_AUTO_RENEW, CANCELLED_ON)
_ENTITLEMENT = ID_COLUMNS[2]
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
class ColumnLayout:
    """Where things stand in a table, as positions of its columns.

    The last of ``ids`` is None where no column has entitlements; ``optional`` are the other columns that say something of
    a row, by our names. ``kept`` are the columns carried into the results and ``header`` their names there; ``results`` maps the
    result columns of a file that is itself a results file, and is empty for any other.
    """

    ids: tuple[int, int, int | None]
    optional: dict[str, int]
    carried_columns: tuple[int, ...]
    header: tuple[str, ...]
    results: dict[str, int]


class ColumnError(Exception):
    """The header does not say where the ids are; the message says what is missing or claimed twice."""


def find_layout(
    header: Sequence[str],
    named: Mapping[str, str] | None = None,
    *,
    guarded: bool = True,
    entitlements: bool = True,
) -> ColumnLayout:
    """Find the columns by what people call them; ``named`` says of some which header holds them.

    ``entitlements`` says that rows need an entitlement unless they say otherwise. Where the cells of a results file are ``guarded``, its names are so as well, and lose that guard here.
    """
    named = named or {}
    if missing := missing_columns(header, named, entitlements=entitlements):
        raise ColumnError(_missing(header, missing))
    places = [column_index(header, column, named.get(column)) for column in ID_COLUMNS]
    customer, subscription, entitlement = places
    if customer is None or subscription is None or len({*places}) < len(places):
        raise ColumnError("--map names one header for two columns")
    results = {}
    # Not by their keys: a column of the sender's, like 'Request ID', is none of ours. Ours are the last of their name.
    exact = {name.strip().casefold(): place for place, name in enumerate(header)}
    if set(RESULT_COLUMNS) <= set(exact):
        results = {name: exact[name] for name in RESULT_COLUMNS}
        header = [unguard(name) for name in header] if guarded else header
    replaced = set(results.values())
    kept = tuple(place for place in range(len(header)) if place not in replaced)
    ids = (customer, subscription, entitlement)
    return ColumnLayout(ids, _optional(header, named), kept, _kept_names([header[place] for place in kept]), results)


def is_header(record: Sequence[str], named: Mapping[str, str], *, entitlements: bool = True) -> bool:
    """Tell whether a record names every id column that is needed."""
    keys = {header_key(name) for name in record}
    mapped = all(header_key(named[column]) in keys for column in MAPPED_COLUMNS if column in named)
    return mapped and not missing_columns(record, named, entitlements=entitlements)


def missing_columns(header: Sequence[str], named: Mapping[str, str], *, entitlements: bool = True) -> list[str]:
    """Return the id columns that a header lacks and ``named`` does not say; entitlements only where they are needed."""
    present = {column_of(name) for name in header} | set(named)
    # Where a column says what each row wants, none of them may want an Azure subscription.
    needed = entitlements and KIND not in named and KIND not in {header_key(name) for name in header}
    return [column for column in ID_COLUMNS if column not in present and (needed or column != _ENTITLEMENT)]


def _missing(header: Sequence[str], missing: list[str]) -> str:
    if sum(is_guid(name.strip()) for name in header) >= len(ID_COLUMNS):
        return (
            f"the first line has ids and no names. Put this line above it: {','.join(ID_COLUMNS)} (in the file's order)"
        )
    shown = ", ".join(map(repr, header))
    near = [f"--map {column}={name!r}" for column in missing if (name := closest_header(column, header))]
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
    places = exact or [place for place, name in enumerate(header) if header_key(name) == header_key(named)]
    if len(places) != 1:
        raise ColumnError(
            f"--map {column}={named}: {'no' if not places else 'more than one'} column is called that; "
            f"there are: {', '.join(map(repr, header))}"
        )
    return places[0]


def _optional(header: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    """Return where the other columns stand that we know; of several that are called alike the first one counts."""
    found = {column: _position(header, column, named[column]) for column in OPTIONAL_COLUMNS if column in named}
    for place, name in enumerate(header):
        column = next((one for one in OPTIONAL_COLUMNS if header_key(one) == header_key(name)), None)
        if column and column not in found:
            found[column] = place
    return found


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


def column_index(header: Sequence[str], column: str, named: str | None = None) -> int | None:
    """Return where a column stands, None when no header is called so; ColumnError when it is not clear which one."""
    if named is None and all(column_of(name) != column for name in header):
        return None
    return _position(header, column, named)
