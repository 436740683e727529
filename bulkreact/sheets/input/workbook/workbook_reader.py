"""Reads a workbook in a process of its own, so that a damaged one can end that process at most."""

import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from bulkreact.errors import FileRefusedError, ReaderNotStartedError, RefusalFacts
from bulkreact.secret_variables import SECRET_VARIABLES
from bulkreact.sheets.input.workbook.process_watch import ProcessWatch
from bulkreact.sheets.input.workbook.workbook_messages import (
    Choice,
    Heads,
    Job,
    Refusal,
    Reply,
    Rows,
    SheetHead,
    TableHead,
)

# Python's variables and the working directory count for nothing: the process imports exactly what this one does.
_CODE = "import sys; sys.path[:] = {}; from bulkreact.sheets.input.workbook.workbook_process import main; main()"
_REMEDY = "Open it in Excel or LibreOffice and save it again as .xlsx, or save the table alone as 'CSV UTF-8'."

_ReplyT = TypeVar("_ReplyT", bound=Reply)


class WorkbookReader:
    """A process that reads a workbook once: the first rows of its sheets, then one table; FileRefusedError if it cannot."""

    def __init__(self, path: Path, name: str, job: Job) -> None:
        self._name = name
        self._limits = job.limits
        command = [sys.executable, "-I", "-c", _CODE.format(ascii(sys.path)), str(path)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this program itself
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if name not in SECRET_VARIABLES},
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise ReaderNotStartedError(
                f"{name} was not read: no process can be started ({error.strerror}). Nothing was sent. Try again."
            ) from None
        # Whatever exception ends the reading.
        self._end = weakref.finalize(self, _end_process, self._process)
        self._send(job)
        heads = self._receive(Heads)
        self.heads: list[SheetHead] = heads.sheets
        self.sheets = tuple(heads.names)

    def choose(self, choice: Choice) -> TableHead:
        """Return the header of the table whose rows are read."""
        self._send(choice)
        return self._receive(TableHead)

    def rows(self) -> Iterator[Rows]:
        """Yield the rows of the chosen table in chunks."""
        try:
            while (rows := self._receive(Rows)).numbers:
                yield rows
        finally:
            self._end()

    def _send(self, request: Job | Choice) -> None:
        # A process that has ended is reported when its reply is missing.
        with suppress(OSError):
            _pipe(self._process.stdin).write(msgspec.json.encode(request) + b"\n")
            _pipe(self._process.stdin).flush()

    def _receive(self, expected: type[_ReplyT]) -> _ReplyT:
        with ProcessWatch(self._process, self._limits) as watch:
            line = _pipe(self._process.stdout).readline()
        try:
            reply = msgspec.json.decode(line, type=Reply)
        except msgspec.DecodeError:
            message = (
                watch.reason or f"is no Excel workbook that could be read (it is damaged, or too large). {_REMEDY}"
            )
            reply = Refusal(message, message, RefusalFacts())
        if isinstance(reply, expected):
            return reply
        self._end()
        if not isinstance(reply, Refusal):
            reply = Refusal(f"cannot be read. {_REMEDY}", "", RefusalFacts())
        public = reply.public and f"{self._name} {reply.public}"
        raise FileRefusedError(f"{self._name} {reply.message}", public=public, facts=reply.facts)


def _end_process(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with process:
        pass


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process has no pipe")
    return pipe
