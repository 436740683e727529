"""Moves the files of an inbox to ``done`` or ``failed``, beside the results or the reason."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bulkreact.errors import ResultsNotWrittenError
from bulkreact.inbox import file_moves
from bulkreact.inbox.folder import Folder, no_target
from bulkreact.inbox.foreign_file import FileChangedError, FileSnapshot, digest_of, take_snapshot
from bulkreact.inbox.ledger import LedgerEntry
from bulkreact.inbox.report_links import link_to_copies
from bulkreact.inbox.scan import DONE, FAILED
from bulkreact.sheets.output.report_html import REPORT
from bulkreact.sheets.output.results_csv import RESULTS
from bulkreact.sheets.output.results_xlsx import WORKBOOK, failed_file_in
from bulkreact.wording import describe_error, printable

# A copy of failed rows, as it is named here; its name may be as long as a name can be, and must not become longer.
_FAILED_ROWS = re.compile(r"(\.\d{8}T\d{6}Z-[^.]+)\.failed((?:-\d+)?\.\w+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileMover:
    """Moves files out of an inbox; with ``keep`` it does nothing."""

    inbox: Folder
    keep: bool

    def open_folders(self) -> None:
        """Open ``done`` and ``failed`` if they exist, and remove partial files of a killed process from them.

        InputRefusedError if one is not a folder of its own.
        """
        folders = () if self.keep else (self.inbox.subfolder(DONE), self.inbox.subfolder(FAILED))
        for folder in filter(None, folders):
            for name in filter(file_moves.PARTIAL.fullmatch, folder.names()):
                # What others named like this may be a folder.
                with suppress(OSError):
                    folder.unlink(name)

    def open_done(self) -> None:
        """Open ``done``; from then on it is the same one, whatever is put in its place. InputRefusedError if it cannot be."""
        try:
            if not self.keep:
                self.inbox.subfolder(DONE, create=True)
        except OSError as error:
            raise no_target(self.inbox.path / DONE, describe_error(error)) from None

    def find_input(self, entry: LedgerEntry) -> FileSnapshot | None:
        """Return a run's input file if it is still in the inbox with unchanged content."""
        file = take_snapshot(self.inbox, entry.file_name)
        return file if file and digest_of(self.inbox, file) == entry.sha256 else None

    def archive_run(self, entry: LedgerEntry, run: Path, *, ended_well: bool) -> Path | None:
        """Copy a run's results to ``done``, then move its input file next to them; return its new path.

        The file with the failed rows is there only if there are some: its name shows which inputs need attention. An input
        that is such a file itself, and was corrected, is called so from then on.
        """
        if self.keep:
            return None
        with _as_results_error(entry.file_name):
            names = (RESULTS, WORKBOOK, *(() if ended_well else (failed_file_in(run),)))
            copies = {
                name: file_moves.copy(run / name, self._folder(DONE), _copy_name(entry, name)).name
                for name in names
                if (run / name).is_file()
            }
            if (run / REPORT).is_file():
                page = link_to_copies((run / REPORT).read_bytes(), copies)
                file_moves.write(page, self._folder(DONE), _copy_name(entry, REPORT))
            source = self.find_input(entry)
        return self._move(source, DONE, to=_FAILED_ROWS.sub(r"\1.fixed\2", source.name)) if source else None

    def archive_duplicate(self, file: FileSnapshot) -> Path | None:
        """Move a file that needs no run to ``done``; return its new path."""
        return self._move(file, DONE)

    def refuse(self, file: FileSnapshot, reason: str) -> Path | None:
        """Move a file that cannot be run to ``failed``, next to a note with the reason; return its new path."""
        return self._move(file, FAILED, note=reason)

    def _move(self, file: FileSnapshot, name: str, *, note: str = "", to: str = "") -> Path | None:
        """Move a file, None if it is not the same any more."""
        if self.keep:
            return None
        with _as_results_error(file.name), suppress(FileChangedError):
            folder = self._folder(name)
            if note:
                return file_moves.move_with_note(self.inbox, file, folder, note)
            return file_moves.move(self.inbox, file, folder, to)
        return None

    def _folder(self, name: str) -> Folder:
        folder = self.inbox.subfolder(name, create=True)
        if folder is None:
            raise FileNotFoundError(errno.ENOENT, "Its new folder was removed")
        return folder


def _copy_name(entry: LedgerEntry, name: str) -> str:
    end = f".{entry.run_id}.{name}"
    stem = file_moves.truncate_name(file_moves.stem_of(entry.file_name), spare=len(os.fsencode(end)))
    return f"{stem}{end}"


@contextmanager
def _as_results_error(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsNotWrittenError(
            f"{printable(name)} could not be moved out of the inbox: {describe_error(error)}. Fix the cause: the next sweep moves it, and "
            "does not run it again."
        ) from None
