"""The columns of inputs: their names, and the header of each. No I/O."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from bulkreact.guids import is_guid
from bulkreact.sheets.formula_guard import unguard
from bulkreact.sheets.header_aliases import close_header, closest_alias, column_of, header_key
from bulkreact.sheets.result_columns import RESULT_COLUMNS, find_result_columns
from bulkreact.wording import shell_quote

ID_COLUMNS = ("customer_id", "subscription_id", "entitlement_id")
KIND = "kind"
RESTORE_AUTO_RENEW = "restore_auto_renew"
CANCELLED_ON = "cancelled_on"
DEADLINE = "deadline"
CANDIDATES = "candidates"
OPTIONAL_COLUMNS = (KIND, RESTORE_AUTO_RENEW, CANCELLED_ON, DEADLINE, CANDIDATES)
CUSTOMER_NAME = "customer_name"
MAPPED_COLUMNS = (*ID_COLUMNS, KIND, RESTORE_AUTO_RENEW, CANCELLED_ON, CUSTOMER_NAME)
_ENTITLEMENT = ID_COLUMNS[2]
_OPTIONAL = {header_key(column): column for column in OPTIONAL_COLUMNS}

# Returns the indexes of the columns with nothing but ids.
IdColumns = Callable[[], Collection[int]]


class ColumnLayout(Struct, frozen=True):
    """The indexes of a table's columns.

    The last of ``ids`` is None if there is no entitlement column. ``carried_columns`` are copied into the results,
    under the names in ``header``; ``name_header`` is the one that --map names for the names of customers, ``sum_header``
    the one that --sum names. ``results`` are the result columns of a results file, empty for any other.
    """

    ids: tuple[int, int, int | None]
    optional: dict[str, int]
    carried_columns: tuple[int, ...]
    header: tuple[str, ...]
    results: dict[str, int]
    name_header: str = ""
    sum_header: str = ""


class ColumnError(Exception):
    """The header does not name the id columns.

    The ``reason`` says what is missing or ambiguous and quotes nothing of the header, unlike the text behind it.
    """

    def __init__(self, reason: str, quoted: str = "", *, is_ambiguous: bool = False) -> None:
        super().__init__(f"{reason}. {quoted}" if quoted else f"{reason}.")
        self.reason = reason
        self.is_ambiguous = is_ambiguous


class HeaderRule(Struct, frozen=True):
    """The columns that a header must name; ``named`` are the headers given for some of them with --map.

    ``summed`` is the header given with --sum, empty if none is.

    Where there is a column kind, an entitlement is not required: no row may need one.
    """

    named: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ID_COLUMNS
    summed: str = ""

    def find_columns(self, record: Sequence[str]) -> dict[str, int]:
        """Return the index of every column that a record names, the first one of several."""
        columns = {}
        for index, name in reversed(list(enumerate(record))):
            column = column_of(name) or _OPTIONAL.get(header_key(name))
            if column and column not in self.named:
                columns[column] = index
        mapped = {column: find_by_name(record, header) for column, header in self.named.items()}
        return columns | {column: indexes[0] for column, indexes in mapped.items() if indexes}

    def find_missing(self, columns: Collection[str]) -> list[str]:
        """Return the columns that a header with these ``columns`` should name and does not."""
        optional = {_ENTITLEMENT} - self.named.keys() if KIND in columns else set()
        return [
            column for column in dict.fromkeys((*self.required, *self.named)) if column not in {*columns, *optional}
        ]


def check_header(header: Sequence[str], rule: HeaderRule, id_columns: IdColumns = tuple) -> None:
    """Raise ColumnError if a header lacks columns; ``id_columns`` is called to suggest others."""
    columns = rule.find_columns(header)
    if missing := rule.find_missing(columns):
        raise _missing_error(header, columns, missing, rule, id_columns)


def find_layout(
    header: Sequence[str], rule: HeaderRule | None = None, *, guarded: bool = True, id_columns: IdColumns = tuple
) -> ColumnLayout:
    """Return the columns of a header; ColumnError if it lacks some, or if several claim to be the same.

    ``guarded``: the cells of a results file, its header included, have the formula guard; it is removed from the header
    here.
    """
    rule = rule or HeaderRule()
    check_header(header, rule, id_columns)
    ids = [column_index(header, column, rule.named.get(column)) for column in ID_COLUMNS]
    customer, subscription, entitlement = ids
    if customer is None or subscription is None or len({*ids}) < len(ids):
        raise ColumnError("--map names one header for two columns", is_ambiguous=True)
    results = find_result_columns(header)
    if results and guarded:
        header = list(map(unguard, header))
    carried = tuple(index for index in range(len(header)) if index not in results.values())
    names = _carried_names([header[index] for index in carried])
    layout_ids = (customer, subscription, entitlement)
    carried_names = dict(zip(carried, names, strict=True))
    return ColumnLayout(
        layout_ids,
        _find_optional(header, rule.named),
        carried,
        names,
        results,
        _carried_name(header, rule.named.get(CUSTOMER_NAME, ""), f"--map {CUSTOMER_NAME}=", carried_names),
        _carried_name(header, rule.summed, "--sum ", carried_names),
    )


def column_index(header: Sequence[str], column: str, named: str | None = None) -> int | None:
    """Return the index of a column, None if no header has its name; ColumnError if several do, or none is ``named``."""
    if named is None:
        indexes = [index for index, name in enumerate(header) if column_of(name) == column]
        if len(indexes) > 1:
            names = " and ".join(repr(header[index]) for index in indexes)
            fix = f"Rename all but one, or choose with --map {column}=HEADER"
            raise ColumnError(
                f"{len(indexes)} columns claim to be {column}. {fix}", f"They are {names}.", is_ambiguous=True
            )
        return indexes[0] if indexes else None
    return _only_index(header, named, f"--map {column}=")


def _only_index(header: Sequence[str], name: str, option: str) -> int:
    """Return the index of the column that an option names; ColumnError if no header or several have the name."""
    indexes = find_by_name(header, name)
    if len(indexes) != 1:
        count = "no" if not indexes else "more than one"
        reason = f"{option}{shell_quote(name)}: {count} column is called that"
        raise ColumnError(reason, f"There are: {_quote_names(header)}.", is_ambiguous=bool(indexes))
    return indexes[0]


def find_by_name(header: Sequence[str], name: str) -> list[int]:
    """Return the indexes of the headers with a name; if none has exactly this one, of those that are spelt alike."""
    if not name.strip():
        return []
    exact = [index for index, other in enumerate(header) if other.strip() == name.strip()]
    key = header_key(name)
    return exact or [index for index, other in enumerate(header) if key and header_key(other) == key]


def _missing_error(
    header: Sequence[str],
    columns: Mapping[str, int],
    missing: Sequence[str],
    rule: HeaderRule,
    id_columns: IdColumns,
) -> ColumnError:
    if not columns and sum(is_guid(name.strip()) for name in header) >= min(len(ID_COLUMNS), len(rule.required)):
        required = ",".join(rule.required)
        return ColumnError(f"it has ids and no names. Put this line above it: {required} (in the file's order)")
    wrong = [
        f"--map {column}={shell_quote(rule.named[column])}: no column is called that"
        for column in missing
        if column in rule.named
    ]
    if unnamed := [column for column in missing if column not in rule.named]:
        wrong.append(f"missing in the header: {', '.join(unnamed)}")
    free = {index: name for index, name in enumerate(header) if name.strip() and index not in columns.values()}
    hint = _suggest(free, missing, rule.named, id_columns())
    return ColumnError("; ".join(wrong), f"The header has: {_quote_names(header)}.{hint}")


def _suggest(
    free: dict[int, str], missing: Sequence[str], named: Mapping[str, str], id_columns: Collection[int]
) -> str:
    """Return which of the ``free`` headers may be the missing ones: similar names, or the only column of ids."""
    ids = {index: name for index, name in free.items() if index in id_columns}
    candidates = list((ids or free).values())
    similar = {}
    for column in missing:
        name = close_header(named[column], candidates) if column in named else closest_alias(column, candidates)
        if name:
            similar[column] = name
            candidates.remove(name)
    rest = [column for column in missing if column not in similar]
    names = [name for name in ids.values() if name not in similar.values()]
    if len(rest) == len(names) == 1:
        similar[rest[0]] = names[0]
    options = [f"--map {column}={shell_quote(name)}" for column, name in similar.items()]
    hint = ""
    if rest and len(names) > 1:
        which = " or ".join(f"--map {column}=HEADER" for column in rest)
        hint += f" Columns with nothing but ids: {_quote_names(names)}. Say which is which: {which}."
    # At the end and without a full stop, to be copied.
    return f"{hint} Perhaps: {' '.join(options)}" if options else hint


def _quote_names(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))[:500]


def _find_optional(header: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    """Return the indexes of the optional columns; the first of several with the same name counts."""
    keys = [header_key(name) for name in header]
    indexes = {column: keys.index(key) for column in OPTIONAL_COLUMNS if (key := header_key(column)) in keys}
    mapped = {column: column_index(header, column, named[column]) for column in OPTIONAL_COLUMNS if column in named}
    return indexes | {column: index for column, index in mapped.items() if index is not None}


def _carried_name(header: Sequence[str], name: str, option: str, carried: Mapping[int, str]) -> str:
    """Return what the results call the column that an option names, empty if it names none."""
    if not name:
        return ""
    index = _only_index(header, name, option)
    if index not in carried:
        raise ColumnError(f"{option}{shell_quote(name)}: results replace this column")
    return carried[index]


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
