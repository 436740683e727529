"""Writes failed.xlsx: the rows that did not end well, with a note on every cell that is to be corrected."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct, field

from bulkreact.models import Kind, ResultRow
from bulkreact.partnercenter.error_codes.lookup import name_failed_file
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.sheets.cell_references import column_letters
from bulkreact.sheets.columns import KIND, RESTORE_AUTO_RENEW
from bulkreact.sheets.corrections import Correction, find_corrections
from bulkreact.sheets.input.row_options import TRUTH_VALUES
from bulkreact.sheets.output.edited_files import note_digest
from bulkreact.sheets.output.results_csv import belongs_in_failed
from bulkreact.sheets.output.results_xlsx import COLOURS, FAILED_WORKBOOK, STATUS_INDEX, arrange_columns, sheet_cells
from bulkreact.sheets.output.sheet_layout import InputColumns
from bulkreact.sheets.output.xlsx_writer import LIST_LENGTH, SAMPLE, SheetWriter, WorkbookWriter
from bulkreact.sheets.output.xlsx_writer import writing as writing_workbook
from bulkreact.sheets.result_columns import RESULT_COLUMNS, result_cells

# Darker than the colours of statuses.
MARK = "FFD84D"
# Each takes a kilobyte until the file is written, and makes it slow to open.
MOST_NOTES = 5_000
_LISTS = "Choices"
_CHOICES: Mapping[str, Sequence[str]] = {KIND: tuple(Kind), RESTORE_AUTO_RENEW: TRUTH_VALUES}

_INSTRUCTIONS = (
    "The sheet Failed has the rows that did not end well.",
    "Cells to be corrected are yellow. A note on them says what is wrong and what to do, as do error_description and advice.",
    "Correct these cells; of rows without one, do first what advice says.",
    "Delete the rows that shall not be sent again: pending ones were accepted, and need only another look.",
    "Leave status, advice and the columns from row to finished_at as they are: the next run replaces them.",
)
_STOPPED = "The run was stopped before its end. Continue it first, which writes this file again:"
_RUN = "Save the file as .xlsx, then run it with this command, or give it to the person who runs it:"
_DROP = (
    "Save the file as .xlsx, and put it into the folder where you had put the first one. Or run it with this command:"
)


_STOPPED_ON_PAGE = "The run was stopped before its end. Continue it first, with the button on its page:"
_UPLOAD = "Save the file as .xlsx, and upload it as a new file on the page (Home). This run's own page is:"


def list_instructions(
    command: str, *, resume_command: str = "", is_from_inbox: bool = False, page: str = ""
) -> tuple[str, ...]:
    """Return what to do with the file; ``command`` runs it, ``resume_command`` continues a stopped run before.

    With the address of a ``page`` its buttons do both.
    """
    if page:
        return (*((_STOPPED_ON_PAGE, page) if resume_command else ()), *_INSTRUCTIONS, _UPLOAD, page)
    stopped = (_STOPPED, resume_command) if resume_command else ()
    return (*stopped, *_INSTRUCTIONS, _DROP if is_from_inbox else _RUN, command)


class FailedSheet(Struct):
    """The sheet with the failed rows being written, laid out like the results.

    ``columns`` are those that the ``header`` names. ``on_page``: advice names buttons in place of commands.
    """

    book: WorkbookWriter
    sheet: SheetWriter
    header: tuple[str, ...]
    columns: Mapping[str, int]
    known: InputColumns
    on_page: bool = False
    # Lists of choices that are too long for a rule, each in a row.
    _lists: SheetWriter | None = None
    # The first rows, until the widths of columns are known from them.
    _sample: list[ResultRow] | None = field(default_factory=list)
    _order: tuple[int, ...] = ()
    _notes: int = 0

    def pick(self, rows: Iterable[ResultRow]) -> Iterator[ResultRow]:
        """Yield rows as they are, and write the failed ones on the way."""
        for row in rows:
            if belongs_in_failed(row):
                self._add(row)
            yield row

    def finish(self) -> None:
        """Write what is left."""
        self._begin()
        for column, choices in _CHOICES.items():
            if column in self.columns:
                self._add_choices(self.columns[column], choices)
        self.sheet.add_filter(len(self.header) + len(RESULT_COLUMNS))
        self.sheet.print_first(self._order.index(len(self.header)) + 1)

    def _add(self, row: ResultRow) -> None:
        if self._sample is None:
            self._write(row)
            return
        self._sample.append(row)
        if len(self._sample) == SAMPLE:
            self._begin()

    def _begin(self) -> None:
        if self._sample is None:
            return
        sample, self._sample = self._sample, None
        names = (*self.header, *RESULT_COLUMNS)
        layout, widths = arrange_columns(names, [result_cells(row) for row in sample], self.known)
        self._order = layout.order
        self.sheet.freeze_columns(layout.frozen, zoom=layout.zoom)
        self.sheet.set_columns(widths, text_columns=[layout.order.index(index) for index in self.known.ids])
        self.sheet.add_header([names[index] for index in layout.order])
        for row in sample:
            self._write(row)

    def _write(self, row: ResultRow) -> None:
        corrections = find_corrections(row, self.columns)
        colours = dict.fromkeys(corrections, MARK) | {len(self.header) + STATUS_INDEX: COLOURS[row.outcome.status]}
        cells = sheet_cells(row, on_page=self.on_page)
        self.sheet.add_row(
            [cells[index] for index in self._order], colours=tuple(colours.get(index, "") for index in self._order)
        )
        for index, correction in corrections.items():
            if self._notes < MOST_NOTES and correction.problem:
                self._notes += 1
                self.sheet.add_note(self._order.index(index), self._format_note(correction))
                if correction.choices:
                    self._add_choices(index, self._source(correction.choices), first_row=self.sheet.rows)

    def _add_choices(self, index: int, choices: Sequence[str] | str, *, first_row: int = 2) -> None:
        self.sheet.add_choices(self._order.index(index), choices, first_row=first_row)

    def _format_note(self, correction: Correction) -> str:
        advice = name_failed_file(correction.advice, FAILED_WORKBOOK)
        return f"{correction.problem}\n\n{advise_here(advice) if self.on_page else advice}"

    def _source(self, choices: Sequence[str]) -> Sequence[str] | str:
        if len(",".join(choices)) <= LIST_LENGTH:
            return choices
        self._lists = self._lists or self.book.add_sheet(_LISTS)
        self._lists.add_row(choices)
        row = self._lists.rows
        return f"={_LISTS}!$A${row}:${column_letters(len(choices) - 1)}${row}"


@contextmanager
def writing(
    path: Path, header: tuple[str, ...], columns: Mapping[str, int], known: InputColumns, instructions: Iterable[str]
) -> Iterator[FailedSheet]:
    """Write the workbook when the context ends, with ``instructions`` on a sheet of their own.

    Raises OSError if it cannot be written, leaving an older one untouched.
    """
    with writing_workbook(path, private=True, complete=note_digest(path.parent, path.name)) as book:
        failed = FailedSheet(book, book.add_sheet("Failed", header_rows=1), header, columns, known)
        yield failed
        failed.finish()
        sheet = book.add_sheet("What to do")
        sheet.set_columns((100,))
        sheet.add_header(("What to do",))
        for line in instructions:
            sheet.add_row((line,), wrap=True)
