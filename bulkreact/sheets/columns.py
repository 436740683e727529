"""The columns of inputs: their names, and the header of each. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkreact.guids import is_guid
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.header_aliases import closest_header, column_of, header_key
from bulkreact.sheets.result_columns import RESULT_COLUMNS, find_result_columns

ID_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")
KIND = "kind"
RESTORE_AUTO_RENEW = "restore_auto_renew"
CANCELLED_ON = "cancelled_on"
DEADLINE = "deadline"
CANDIDATES = "candidates"
OPTIONAL_COLUMNS = (KIND, RESTORE_AUTO_RENEW, CANCELLED_ON, DEADLINE, CANDIDATES)
MAPPED_COLUMNS = (*ID_COLUMNS, KIND, RESTORE_AUTO_RENEW, CANCELLED_ON)
_ENTITLEMENT = ID_COLUMNS[2]


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The indexes of a table's columns.

    The last of ``ids`` is None if there is no entitlement column. ``carried_columns`` are copied into the results,
    under the names in ``header``. ``results`` are the result columns of a results file, empty for any other.
    """

    ids: tuple[int, int, int | None]
    optional: dict[str, int]
    carried_columns: tuple[int, ...]
    header: tuple[str, ...]
    results: dict[str, int]


class ColumnError(Exception):
    """The header does not name the id columns; the message says what is missing or ambiguous."""


def find_layout(
    header: Sequence[str], named: Mapping[str, str] | None = None, *, guarded: bool = True, entitlements: bool = True
) -> ColumnLayout:
    """Return the columns, by their usual names or by the headers ``named`` with --map.

    ``entitlements``: rows need an entitlement unless they have a kind. ``guarded``: the cells of a results file, its
    header included, have the formula guard; it is removed from the header here.
    """
    named = named or {}
    if missing := missing_columns(header, named, entitlements=entitlements):
        raise ColumnError(_missing_message(header, missing))
    ids = [column_index(header, column, named.get(column)) for column in ID_COLUMNS]
    customer, subscription, entitlement = ids
    if customer is None or subscription is None or len({*ids}) < len(ids):
        raise ColumnError("--map names one header for two columns")
    results = find_result_columns(header)
    if results and guarded:
        header = list(map(unguard, header))
    carried = tuple(index for index in range(len(header)) if index not in results.values())
    names = _carried_names([header[index] for index in carried])
    layout_ids = (customer, subscription, entitlement)
    return ColumnLayout(layout_ids, _optional(header, named), carried, names, results)


def is_header(record: Sequence[str], named: Mapping[str, str], *, entitlements: bool = True) -> bool:
    """Return whether a record names every required id column."""
    keys = {header_key(name) for name in record}
    mapped = all(header_key(named[column]) in keys for column in MAPPED_COLUMNS if column in named)
    return mapped and not missing_columns(record, named, entitlements=entitlements)


def missing_columns(header: Sequence[str], named: Mapping[str, str], *, entitlements: bool = True) -> list[str]:
    """Return the id columns that neither a header nor ``named`` has; entitlements only if required."""
    present = {column_of(name) for name in header} | set(named)
    # With a kind column there may be no Azure subscription at all.
    needed = entitlements and KIND not in named and KIND not in {header_key(name) for name in header}
    return [column for column in ID_COLUMNS if column not in present and (needed or column != _ENTITLEMENT)]


def column_index(header: Sequence[str], column: str, named: str | None = None) -> int | None:
    """Return the index of a column, None if no header has its name; ColumnError if several do, or none is ``named``."""
    if named is None:
        indexes = [index for index, name in enumerate(header) if column_of(name) == column]
        if len(indexes) > 1:
            names = " and ".join(repr(header[index]) for index in indexes)
            fix = f"rename all but one, or choose with --map {column}=HEADER"
            raise ColumnError(f"{len(indexes)} columns claim to be {column}: {names}; {fix}")
        return indexes[0] if indexes else None
    exact = [index for index, name in enumerate(header) if name.strip() == named.strip()]
    indexes = exact or [index for index, name in enumerate(header) if header_key(name) == header_key(named)]
    if len(indexes) != 1:
        raise ColumnError(
            f"--map {column}={named}: {'no' if not indexes else 'more than one'} column is called that; "
            f"there are: {', '.join(map(repr, header))}"
        )
    return indexes[0]


def _missing_message(header: Sequence[str], missing: list[str]) -> str:
    if sum(is_guid(name.strip()) for name in header) >= len(ID_COLUMNS):
        return (
            f"the first line has ids and no names. Put this line above it: {','.join(ID_COLUMNS)} (in the file's order)"
        )
    names = ", ".join(map(repr, header))
    close = [f"--map {column}={name!r}" for column in missing if (name := closest_header(column, header))]
    hint = f" Perhaps: {' '.join(close)}" if close else ""
    return f"missing in the header: {', '.join(missing)}. The first line must name the columns; it has: {names[:500]}.{hint}"


def _optional(header: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    """Return the indexes of the optional columns; the first of several with the same name counts."""
    keys = [header_key(name) for name in header]
    indexes = {column: keys.index(key) for column in OPTIONAL_COLUMNS if (key := header_key(column)) in keys}
    mapped = {column: column_index(header, column, named[column]) for column in OPTIONAL_COLUMNS if column in named}
    return indexes | {column: index for column, index in mapped.items() if index is not None}


def _carried_names(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of carried columns in the results; one with a result column's name gets a prefix."""
    used_names = {name.casefold() for name in (*header, *RESULT_COLUMNS)}
    names = []
    for name in header:
        if name.strip().casefold() in RESULT_COLUMNS:
            unique = f"input.{name}"
            while unique.casefold() in used_names:
                unique = f"input.{unique}"
            used_names.add(unique.casefold())
            names.append(unique)
        else:
            names.append(name)
    return tuple(names)
