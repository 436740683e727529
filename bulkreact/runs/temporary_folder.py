"""A folder for what is needed only while a command works; the system says where such folders are."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulkreact.batch.journal.writer import translating_write_errors
from bulkreact.errors import InputRefusedError, JournalNotWrittenError
from bulkreact.wording import describe_error


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder that is removed afterwards; InputRefusedError if there can be none, or a journal in it has no room."""
    try:
        folder = tempfile.TemporaryDirectory()
    except OSError as error:
        raise InputRefusedError(
            f"No temporary folder can be made: {describe_error(error)}. Nothing was sent. Name a folder for them in TMPDIR."
        ) from None
    with folder as name:
        try:
            with translating_write_errors():
                yield Path(name)
        except JournalNotWrittenError as error:
            raise InputRefusedError(
                f"The temporary folder {name} cannot be written: {describe_error(error.__cause__ or error)}. Nothing was "
                "sent. Make room, or name another place for it in TMPDIR."
            ) from None
