"""What a check has found: the plan that ``bulkreact plan --keep`` has left, and what is shown of its rows. No I/O."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct, field

from bulkreact.batch.journal.row_pages import KeptRow, ProblemGroup
from bulkreact.sheets.result_columns import find_result_columns


class FileRefusal(Struct, frozen=True):
    """Why a file cannot be used as a whole."""

    code: str
    message: str
    header: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    hidden_rows: int | None = None
    rows: int | None = None


class PlanSum(Struct, frozen=True):
    """The sum of the column that the sender has chosen; ``problem`` is why there is none."""

    column: str
    currency: str = ""
    total: str | None = None
    problem: str = ""

    def __str__(self) -> str:
        """Return it for people."""
        total = f"{self.currency} {Decimal(self.total):,}".lstrip() if self.total is not None else "not known"
        return f"{self.column}: {total}{f', {self.problem}' if self.problem else ''}"


class PlanFile(Struct, frozen=True):
    """The members of plan.json that the page uses."""

    rows: int = 0
    valid: int = 0
    invalid: int = 0
    duplicate: int = 0
    customers: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    estimated_seconds: float | None = None
    digest: str = ""
    sha256: str = ""
    header: list[str] = field(default_factory=list)
    sample: list[list[str]] = field(default_factory=list)
    columns: dict[str, str | None] = field(default_factory=dict)
    customer_names: dict[str, str] = field(default_factory=dict)
    sheet: str | None = None
    sheets: list[str] = field(default_factory=list)
    header_row: int | None = None
    delimiter: str | None = None
    encoding: str | None = None
    remarks: list[str] = field(default_factory=list)
    sum: PlanSum | None = None
    refused: FileRefusal | None = None

    @property
    def calls(self) -> int:
        """Return the least number of calls: a subscription is read before it is updated."""
        return self.valid + self.kinds.get("subscription", 0)

    @property
    def own_columns(self) -> list[int]:
        """Return the indexes of the columns that results have not added."""
        results = find_result_columns(self.header).values()
        return [index for index in range(len(self.header)) if index not in results]


class FileCheck(Struct, frozen=True):
    """A plan, with the problems, customers and deadlines of all its rows; ``wrong`` are the columns wrong in each line of its sample."""

    plan: PlanFile
    problems: tuple[ProblemGroup, ...]
    customers: list[tuple[str, int]]
    soonest: str | None
    within_14_days: int
    wrong: Sequence[Sequence[int]] = ()


def find_wrong_cells(plan: PlanFile, rows: Iterable[KeptRow]) -> list[list[int]]:
    """Return the columns of each line of the sample that have a problem; ``rows`` are the first ones of the file."""
    index = {name: column for column, name in enumerate(plan.header)}
    wrong = {
        row.cells: sorted(
            {index.get(plan.columns.get(problem.column) or problem.column, -1) for problem in row.problems}
        )
        for row in rows
    }
    return [wrong.get(tuple(line), []) for line in plan.sample]


# The field of the form that mends a refusal.
FIELD_OF_REFUSAL: Mapping[str, str] = {
    "no-header": "customer_id",
    "missing-columns": "customer_id",
    "ambiguous-columns": "customer_id",
    "hidden-rows": "hidden_rows",
    "bad-encoding": "encoding",
}
COLUMN_OPTIONS = ("customer_id", "subscription_id", "entitlement_id", "kind_column")
# Their defaults; an empty value of the others means: as detected.
OPTION_DEFAULTS: Mapping[str, str] = {
    "kind": "azure",
    **dict.fromkeys(COLUMN_OPTIONS, ""),
    "sum": "",
    "sheet": "",
    "delimiter": "",
    "encoding": "",
    "hidden_rows": "",
    "restore_auto_renew": "no",
    "order": "input",
    "verify": "yes",
}
# Of a retry: it takes also the rows that failed for good.
ALL_FAILED = "all_failed"
_MAPPED = {"kind_column": "kind"}
# What cannot be as it was chosen when a file is refused for this.
_REFUSED_WITH = {"no-sheet": ("sheet", "hidden_rows"), "no-header": ("delimiter",), "bad-encoding": ("encoding",)}


def reading_arguments(options: Mapping[str, str]) -> list[str]:
    """Return the options of the command line that read a file in the same way; each is one argument."""
    arguments = [f"--kind={options['kind']}"]
    arguments += [f"--map={_MAPPED.get(name, name)}={options[name]}" for name in COLUMN_OPTIONS if options[name]]
    # A job of an earlier version has no sum.
    named = {
        "sum": "--sum",
        "sheet": "--sheet",
        "delimiter": "--delimiter",
        "encoding": "--encoding",
        "hidden_rows": "--hidden-rows",
    }
    arguments += [f"{option}={options[name]}" for name, option in named.items() if options.get(name)]
    return [*arguments, *(["--restore-auto-renew"] if options["restore_auto_renew"] == "yes" else [])]


def sending_arguments(options: Mapping[str, str]) -> list[str]:
    """Return the options of the command line that say how a run is made."""
    return [f"--order={options['order']}", "--verify" if options["verify"] == "yes" else "--no-verify"]


def drop_unfit(options: Mapping[str, str], refused: FileRefusal) -> tuple[dict[str, str], list[str]]:
    """Return options without those that were chosen for an earlier file and that this one refuses, and their values."""
    known = {name.strip().casefold() for name in refused.header}
    chosen = (*COLUMN_OPTIONS, "sum")
    gone = [name for name in chosen if known and options.get(name, "").strip().casefold() not in known]
    gone += _REFUSED_WITH.get(refused.code, ())
    gone = [name for name in gone if options.get(name)]
    values = [options[name] if name in chosen else f"{name} {options[name]}" for name in gone]
    return {**options, **dict.fromkeys(gone, "")}, values
