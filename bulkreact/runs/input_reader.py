"""Reads an input file into the journal of a run that has not started."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from bulkreact.batch.journal.journal import create
from bulkreact.batch.journal.row_pages import RowProblem
from bulkreact.batch.journal.row_traits import ANY_TRAITS, RowTraits
from bulkreact.batch.journal.swapped_ids import CODE, flag_swapped_ids, input_digest
from bulkreact.errors import FileRefusedError, InputRefusedError, RefusalCode, RefusalFacts
from bulkreact.library_loading import loading_pandas
from bulkreact.runs.next_steps import input_arguments
from bulkreact.runs.temporary_folder import temporary_folder
from bulkreact.sheets.input.input_options import LoadOptions
from bulkreact.sheets.input.read_limits import ReadLimits, UnreadableError, refusing
from bulkreact.sheets.input.row_errors import CellError, RowError, format_errors
from bulkreact.wording import plural, printable

if TYPE_CHECKING:
    from bulkreact.sheets.input.input_file import InputFile
    from bulkreact.sheets.input.source_format import SourceFormat

_STANDARD_INPUT = "-"
_CHUNK = 1 << 20


class LoadedInput(Struct, frozen=True):
    """An input whose rows are in a draft's journal; ``digest`` leaves out the invalid ones.

    ``traits`` are what the rows may have, ``arguments`` the options that read a file of the same layout.
    """

    input_file: "InputFile"
    digest: str
    traits: RowTraits = ANY_TRAITS
    arguments: tuple[str, ...] = ()


def display_name(source: str) -> str:
    """Return what messages call the input."""
    return "standard input" if source == _STANDARD_INPUT else printable(source)


@contextmanager
def open_input(source: str, limits: ReadLimits) -> Iterator[Path]:
    """Yield the path of the input; a stream is copied into a temporary file first, because it is read twice."""
    path = Path(source)
    if source != _STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with temporary_folder() as folder:
        copy = folder / "input.csv"
        if source == _STANDARD_INPUT and sys.stdin.isatty():
            sys.stderr.write("Reading the file from the terminal: end it with Ctrl-D.\n")
        with (
            refusing(display_name(source)),
            nullcontext(sys.stdin.buffer) if source == _STANDARD_INPUT else path.open("rb") as stream,
        ):
            _copy_stream(stream, copy, limits)
        yield copy


def _copy_stream(stream: BinaryIO, path: Path, limits: ReadLimits) -> None:
    """Copy a stream into a file; UnreadableError if it is longer than an input is read, or cannot be copied."""
    count = 0
    try:
        with path.open("wb") as copy:
            while chunk := stream.read(_CHUNK):
                count += len(chunk)
                limits.check("bytes", count, "{} bytes")
                copy.write(chunk)
    except OSError as error:
        raise UnreadableError(
            f"cannot be copied into {path.parent}: {error.strerror}. Nothing was sent. Make room there, or name another "
            "place for it in TMPDIR."
        ) from None


def load_input(
    folder: Path,
    source: str,
    path: Path,
    options: LoadOptions,
    *,
    all_errors: bool = False,
    on_problem: Callable[[RowProblem], None] | None = None,
) -> LoadedInput:
    """Put the rows of an input into a draft's journal; FileRefusedError if the whole input is refused.

    ``on_problem`` gets everything that is wrong with cells.
    """
    name, input_file = display_name(source), None
    with loading_pandas():
        from bulkreact.sheets.input.input_file import InputFile  # noqa: PLC0415 - loads pandas
    try:
        with refusing(name):
            input_file = InputFile(
                path, max_rows=options.max_rows, name=name, options=options.input, all_errors=all_errors
            )
            if on_problem:
                input_file.on_error = partial(_pass_on, on_problem, input_file.source)
            traits = create(folder, input_file.rows_in_bulk()).traits()
            input_file.check_bytes()
            digest = input_file.digest
            if traits.may_have_swapped_ids and (swapped := flag_swapped_ids(folder)):
                input_file.add_errors(
                    RowError(row.number, (CellError(CODE, row.column, row.value, row.reason),)) for row in swapped
                )
                digest = input_digest(folder)
            _check(input_file, options)
    except InputRefusedError as error:
        # With a layout, it has passed as a table: what its rows have may be quoted to everybody.
        quotable = str(error) if input_file else ""
        public = error.public if isinstance(error, FileRefusedError) else ""
        facts = error.facts if isinstance(error, FileRefusedError) else RefusalFacts(RefusalCode.UNREADABLE)
        raise FileRefusedError(str(error), public=public or quotable, facts=facts) from None
    return LoadedInput(input_file, digest, traits, input_arguments(options.input))


def _pass_on(on_problem: Callable[[RowProblem], None], source: "SourceFormat", error: RowError) -> None:
    for cell in error.errors:
        name = source.cell_name(error.number, cell.column)
        on_problem(RowProblem(error.number, cell.column, name, cell.value, cell.code, cell.reason, cell.remedy))


def name_of(source: str) -> str:
    """Return the input's name in the journal; bytes of a file name that are not text are replaced."""
    return "stdin" if source == _STANDARD_INPUT else os.fsencode(Path(source).name).decode("utf-8", "replace")


def _check(input_file: "InputFile", options: LoadOptions) -> None:
    if not input_file.count and not options.allow_empty:
        raise FileRefusedError(
            f"{input_file.name} has no rows. If that is as it should be, add --allow-empty.",
            facts=input_file.facts._replace(code=RefusalCode.NO_ROWS),
        )
    if options.strict and input_file.codes:
        invalid = input_file.codes.total()
        lines = "".join(f"\n  {line}" for line in format_errors(input_file.errors))
        more = invalid - len(input_file.errors)
        rest = f"\n  … and {more:,} more" if more else ""
        verb = "is" if invalid == 1 else "are"
        raise FileRefusedError(
            f"{input_file.name}: {invalid:,} of {plural(input_file.count, 'row')} {verb} invalid, and --strict allows none. "
            f"Nothing was sent.{lines}{rest}",
            facts=input_file.facts._replace(code=RefusalCode.INVALID_ROWS),
        )
