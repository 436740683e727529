"""Read an input file into the journal of a run that has not begun."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bulkreact.batch.journal.journal import create
from bulkreact.batch.journal.swapped_ids import CODE, flag_swapped_ids, input_digest
from bulkreact.cli.options.input import options_of
from bulkreact.errors import FileRefusedError, InputRefusedError
from bulkreact.sheets.input.row_errors import CellError, RowError, format_errors

if TYPE_CHECKING:
    from bulkreact.sheets.input.input_file import InputFile

_THREADS = "OPENBLAS_NUM_THREADS"
_STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class LoadedInput:
    """An input whose rows are in a draft's journal; ``digest`` leaves out those that are invalid."""

    input_file: "InputFile"
    digest: str


@contextmanager
def open_input(source: str) -> Iterator[Path]:
    """Yield the path of the input; what can be read only once is kept in a temporary file meanwhile."""
    path = Path(source)
    if source != _STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "input.csv"
        if source == _STANDARD_INPUT and sys.stdin.isatty():
            click.echo("Reading the file from the terminal: end it with Ctrl-D.", err=True)
        copy.write_bytes(sys.stdin.buffer.read() if source == _STANDARD_INPUT else path.read_bytes())
        yield copy


def load_input(
    folder: Path, source: str, path: Path, given: Mapping[str, Any], *, all_errors: bool = False
) -> LoadedInput:
    """Put the rows of an input into the journal of a draft; FileRefusedError when the input is refused as a whole."""
    shown = "standard input" if source == _STANDARD_INPUT else source
    with fast_import():
        from bulkreact.sheets.input.input_file import InputFile  # noqa: PLC0415 - loads pandas

    known = options_of(given)
    with as_file_error():
        input_file = InputFile(path, max_rows=given["max_rows"], name=shown, options=known, all_errors=all_errors)
        create(folder, input_file.rows())
        digest = input_file.digest
        if misplaced := flag_swapped_ids(folder):
            input_file.add_errors(
                RowError(one.number, (CellError(CODE, one.column, one.value, one.reason),)) for one in misplaced
            )
            digest = input_digest(folder)
        _check(input_file, strict=given["strict"], allow_empty=given["allow_empty"])
    return LoadedInput(input_file, digest)


@contextmanager
def fast_import() -> Iterator[None]:
    """Load what stays anyway: looking through it for garbage again and again takes a sixth of the time.

    Nor is there any use for the threads that numpy's mathematics would start.
    """
    enabled, threads = gc.isenabled(), os.environ.get(_THREADS)
    gc.disable()
    os.environ[_THREADS] = threads or "1"
    try:
        yield
    finally:
        if threads is None:
            del os.environ[_THREADS]
        if enabled:
            gc.enable()


@contextmanager
def as_file_error() -> Iterator[None]:
    """Tell what is wrong with a file from what is wrong with everything else."""
    try:
        yield
    except InputRefusedError as error:
        raise FileRefusedError(str(error)) from None


def name_of(source: str) -> str:
    """Return the input's name in the journal; bytes of a file name that are no text are replaced."""
    return "stdin" if source == _STANDARD_INPUT else os.fsencode(Path(source).name).decode("utf-8", "replace")


def _check(input_file: "InputFile", *, strict: bool, allow_empty: bool) -> None:
    if not input_file.count and not allow_empty:
        raise InputRefusedError(f"{input_file.name} has no rows. If that is as it should be, add --allow-empty.")
    if strict and input_file.codes:
        listed = "\n".join(f"  {line}" for line in format_errors(input_file.errors))
        more = input_file.codes.total() - len(input_file.errors)
        rest = f"\n  … and {more:,} more" if more else ""
        raise InputRefusedError(
            f"{input_file.name}: {input_file.codes.total():,} of {input_file.count:,} rows are invalid, and --strict allows none. "
            f"Nothing was sent.\n{listed}{rest}"
        )
