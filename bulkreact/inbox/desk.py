"""Where the files of an inbox go: to ``done`` beside their results, or to ``failed`` beside the reason."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulkreact.errors import ResultsNotWrittenError
from bulkreact.inbox import file_moves
from bulkreact.inbox.ledger import LedgerEntry
from bulkreact.inbox.scan import sha256_of
from bulkreact.sheets.output.results_csv import RESULTS
from bulkreact.sheets.output.results_xlsx import WORKBOOK

_DONE = "done"
_FAILED = "failed"


class FileMover:
    """Puts files where they belong; with ``keep`` the inbox is left as it is."""

    def __init__(self, inbox: Path, *, keep: bool) -> None:
        self._inbox = inbox
        self.keeps = keep

    def clear_up(self) -> None:
        """Remove what a killed process has left half-written."""
        if not self.keeps:
            for name in (_DONE, _FAILED):
                file_moves.remove_partial_files(self._inbox / name)

    def source(self, entry: LedgerEntry) -> Path | None:
        """Return a run's input file if it is still in the inbox, with the content that it had."""
        path = self._inbox / os.fsdecode(entry.name)
        return path if sha256_of(path) == entry.sha256 else None

    def settle(self, entry: LedgerEntry, run: Path) -> Path | None:
        """Copy the results of a run, then move its input file beside them; return where that is now."""
        if self.keeps:
            return None
        done = self._inbox / _DONE
        with _told(entry.file_name):
            for name in (RESULTS, WORKBOOK):
                if (run / name).is_file():
                    end = f".{entry.run_id}.{name}"
                    stem = file_moves.truncate_name(file_moves.stem_of(entry.file_name), spare=len(os.fsencode(end)))
                    file_moves.copy(run / name, done / f"{stem}{end}")
            source = self.source(entry)
            return file_moves.move(source, done) if source else None

    def done(self, path: Path) -> None:
        """Move a file that needs no run."""
        if not self.keeps:
            with _told(path.name):
                file_moves.move(path, self._inbox / _DONE)

    def refuse(self, path: Path, words: str) -> Path | None:
        """Move a file that cannot be run, beside a text that says why; return where it is now."""
        if self.keeps:
            return None
        with _told(path.name):
            return file_moves.move_with_note(path, self._inbox / _FAILED, words)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what the system says into an error that people understand."""
    try:
        yield
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{name} could not be put where it belongs: {error.strerror}. Mend the cause: the next sweep does it again, "
            "and does not run the file again."
        ) from None
