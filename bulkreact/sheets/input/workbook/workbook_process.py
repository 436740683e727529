"""The process in which a workbook is read, as ``workbook_reader`` starts it: what dies of a workbook costs one file.

It answers a job with the first rows of the sheets, and the choice of one with its table. What it does not expect ends it.
"""

import gc
import io
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO

import msgspec
from msgspec.structs import replace

from bulkreact.errors import RefusalCode, RefusalFacts
from bulkreact.sheets.input.read_limits import UnreadableError
from bulkreact.sheets.input.unpacked_file import open_unpacked
from bulkreact.sheets.input.workbook.cell_values import CellReader
from bulkreact.sheets.input.workbook.shared_strings import read_shared_strings
from bulkreact.sheets.input.workbook.sheet_rows import SheetRow, SheetRows
from bulkreact.sheets.input.workbook.sheet_table import SheetTable, has_content, text_length
from bulkreact.sheets.input.workbook.workbook_messages import Choice, Heads, Job, Refusal, Reply, SheetHead
from bulkreact.sheets.input.workbook.workbook_parts import SAVE_AGAIN, WorkbookParts, WorkbookRefusedError, damage_error

_MOST_UNPACKED = 512 << 20
# In bytes: for the program itself, and for each byte of the workbook's parts. Honest workbooks take half of that.
_MEMORY, _MEMORY_RATIO = 512 << 20, 24
# In characters.
_MOST_HEADS = 64 << 20


def main() -> None:
    """Answer the job and the choice on standard input, a line each; the argument is the workbook's path."""
    # The program that reads the answers handles signals for both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Rows are in no cycles, and looking for some takes a fifth of the time.
    gc.disable()
    requests = sys.stdin.buffer
    job = msgspec.json.decode(requests.readline(), type=Job)
    _limit_memory(job.limits.memory)
    try:
        workbook = _Workbook(Path(sys.argv[1]), job)
        _send(Heads(workbook.heads(), workbook.sheet_names))
        if line := requests.readline():
            for reply in workbook.table(msgspec.json.decode(line, type=Choice)):
                _send(reply)
    except WorkbookRefusedError as error:
        _send(Refusal(str(error), error.public, error.facts))
    except UnreadableError as error:
        _send(Refusal(str(error), str(error), RefusalFacts(error.code)))


def _limit_memory(memory: int) -> None:
    """Limit the memory where the system can, and leave no dump of it; elsewhere ``process_watch`` does."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        for kind, most in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
            hard = resource.getrlimit(kind)[1]
            # macOS refuses limits below what is in use.
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _send(reply: Reply | bytes) -> None:
    sys.stdout.buffer.write((reply if isinstance(reply, bytes) else msgspec.json.encode(reply)) + b"\n")
    sys.stdout.buffer.flush()


class _Workbook:
    """A workbook; its sheets are read as they are asked for."""

    def __init__(self, path: Path, job: Job) -> None:
        self._job = job
        self._parts = WorkbookParts(_open_file(path, job), job.limits)
        _limit_memory(min(job.limits.memory, _MEMORY + _MEMORY_RATIO * self._parts.size))
        part = self._parts.open_shared_strings()
        shared = read_shared_strings(part) if part else []
        self._reader = CellReader(shared, counts_from_1904=self._parts.counts_from_1904)
        # Those of all sheets that were passed over.
        self._blank_rows = 0

    @property
    def sheet_names(self) -> list[str]:
        """Return the names of all sheets, the hidden ones too."""
        return list(self._parts.sheets)

    def heads(self) -> list[SheetHead]:
        """Return the first rows with content of every sheet that may have the table."""
        heads = []
        size = 0
        for name in self._names():
            rows = [(row.number, row.cells) for row in islice(self._rows_with_content(name), self._job.head_rows)]
            size += sum(text_length(cells, self._job.limits) for _, cells in rows)
            if size > _MOST_HEADS:
                raise WorkbookRefusedError.plain(f"has too much text in the first rows of its sheets. {SAVE_AGAIN}")
            heads.append(SheetHead(name, rows))
        return heads

    def table(self, choice: Choice) -> Iterator[Reply | bytes]:
        """Yield the table below a header in chunks, without blank rows, and without hidden ones that are to be skipped."""
        table = SheetTable(choice, self._job)
        replies = table.read(self._sheet_rows(choice.sheet))
        if table.is_wider:
            # A column without a name has its first cell far below: only now is it known.
            replies = SheetTable(choice, self._job, frozenset(table.columns)).read(self._sheet_rows(choice.sheet))
        return replies

    def _names(self) -> list[str]:
        """Return the sheets in which to look for the table."""
        sheets = self._parts.sheets
        if not sheets:
            raise damage_error("it lists no sheet")
        self._job.limits.check("sheets", len(sheets), "{} sheets")
        names = list(sheets)
        if self._job.sheet is not None:
            if self._job.sheet not in sheets:
                raise WorkbookRefusedError(
                    f"has no sheet {self._job.sheet!r}; it has: {', '.join(map(repr, names))}.",
                    facts=RefusalFacts(RefusalCode.NO_SHEET, sheets=tuple(names)),
                )
            return [self._job.sheet]
        return [name for name, sheet in sheets.items() if sheet.state == "visible"] or names[:1]

    def _sheet_rows(self, name: str) -> SheetRows:
        return SheetRows(self._parts.open_sheet(name), name, self._reader, self._parts.number_formats)

    def _rows_with_content(self, name: str) -> Iterator[SheetRow]:
        for row in self._sheet_rows(name):
            if has_content(row.cells):
                yield row
                continue
            self._blank_rows += 1
            self._job.limits.check_rows(self._blank_rows)


def _open_file(path: Path, job: Job) -> IO[bytes]:
    """Open a workbook, unpacked into memory if it is compressed."""
    if not job.compressed:
        try:
            return path.open("rb")
        except OSError as error:
            raise UnreadableError(f"cannot be read: {error.strerror}.") from None
    limits = replace(job.limits, bytes=min(job.limits.bytes, _MOST_UNPACKED))
    with open_unpacked(path, limits, compressed=True) as packed:
        return io.BytesIO(packed.read())
