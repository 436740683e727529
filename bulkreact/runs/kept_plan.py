"""The folder in which a plan is kept for another program: ``plan.json``, and ``rows.sqlite3`` with all rows and problems.

Both are replaced whole: at every moment each of them is the old one or the new one.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import msgspec

from bulkreact.atomic_write import drafting, remove_abandoned, replacing, sync_folder
from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.batch.journal.problem_table import make_single_file, store_problems
from bulkreact.batch.journal.row_pages import RowProblem
from bulkreact.batch.journal.writer import translating_write_errors
from bulkreact.errors import FileRefusedError, InputRefusedError, JournalNotWrittenError
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.output_paths import OutputPath, check_again
from bulkreact.runs.own_outputs import PLAN_NAME, ROWS_NAME
from bulkreact.wording import describe_error, printable

_SPOOL_NAME = "problems.jsonl"
_DRAFT_NAME = ".plan.draft-"


class KeptPlan:
    """The files of a plan that is being made: the journal in the ``draft``, and the problems found so far."""

    def __init__(self, folder: Path, draft: Path) -> None:
        self.folder = folder
        self.draft = draft
        self._spool = (draft / _SPOOL_NAME).open("wb")

    def add(self, problem: RowProblem) -> None:
        """Set a problem aside: while the rows are read, their table is not complete."""
        self._spool.write(msgspec.json.encode(problem) + b"\n")

    def store_problems(self) -> int:
        """Store all problems beside the rows; return how many there are."""
        self._spool.close()
        with (self.draft / _SPOOL_NAME).open("rb") as lines:
            return store_problems(self.draft, (msgspec.json.decode(line, type=RowProblem) for line in lines))

    def publish(self, plan: Iterable[str]) -> None:
        """Put the rows and the plan, which may be read from them, into the folder."""
        self._write(plan)
        make_single_file(self.draft)
        (self.draft / JOURNAL_NAME).replace(self.folder / ROWS_NAME)
        self._publish_plan()

    def refuse(self, error: FileRefusedError) -> None:
        """Put a refusal into the folder instead of a plan and its rows."""
        self._write([format_refusal(error)])
        (self.folder / ROWS_NAME).unlink(missing_ok=True)
        self._publish_plan()

    def _write(self, pieces: Iterable[str]) -> None:
        with replacing(self.draft / PLAN_NAME, private=True) as file:
            file.writelines(pieces)

    def _publish_plan(self) -> None:
        (self.draft / PLAN_NAME).replace(self.folder / PLAN_NAME)
        sync_folder(self.folder)

    def close(self) -> None:
        """Close what is still open."""
        self._spool.close()


@contextmanager
def keeping_plan(folder: Path) -> Iterator[KeptPlan]:
    """Yield the files of a plan to be kept in a folder; InputRefusedError if they cannot be."""
    # Another process may keep a plan of its own there.
    draft = folder / f"{_DRAFT_NAME}{token_hex(4)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_again(OutputPath("--keep", folder, OutputKind.PLAN_FOLDER))
        for left in folder.glob(f"{_DRAFT_NAME}*"):
            remove_abandoned(left)
        with drafting(draft), translating_write_errors():
            kept = KeptPlan(folder, draft)
            try:
                yield kept
            finally:
                kept.close()
    except (OSError, JournalNotWrittenError) as error:
        reason = describe_error(error.__cause__ or error)
        raise InputRefusedError(f"--keep {folder} cannot be written: {reason}. Name another folder.") from None


def format_refusal(error: FileRefusedError) -> str:
    """Return why a file is refused, as JSON for programs."""
    facts = error.facts
    refused = {
        "code": facts.code,
        "message": printable(" ".join(str(error).split("\n"))),
        "header": facts.header,
        "sheets": facts.sheets,
        "hidden_rows": facts.hidden_rows,
        "rows": facts.rows,
    }
    return json.dumps({"refused": refused}, indent=2) + "\n"
