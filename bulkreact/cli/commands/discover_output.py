"""Where a discovery puts what it has made: a file, whole or not at all, or standard output."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bulkreact.errors import InputRefusedError, ResultsNotWrittenError


def refuse_same_file(out: Path, source: Path, *, name: str) -> None:
    """Make sure that an output is not an input; InputRefusedError when it is, by whatever name."""
    if out.exists() and source.exists() and out.samefile(source):
        raise InputRefusedError(f"--out {out} would overwrite {name}: name another file.")


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Yield standard output as a file that is UTF-8 everywhere and leaves line ends as they are."""
    file = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    try:
        yield file
        file.flush()
    finally:
        # It stays open for whoever comes next.
        file.detach()


@contextmanager
def reporting_write_errors(out: Path | None) -> Iterator[None]:
    """Turn a file that cannot be written into words; what was read is kept for another try."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{out or 'Standard output'} could not be written: {error.strerror or error}. What was read is kept: give the "
            "same command when the cause is mended, or with another --out, and it reads nothing again."
        ) from None
