"""The errors that end a command: each has a message and an exit code."""

import errno
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

EXIT_SUCCESS = 0
EXIT_SOME_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

# What a disk, a file system or a limit of the system refuses, however right the program is.
_REFUSALS = (
    *(
        "EACCES",
        "EDQUOT",
        "EFBIG",
        "EIO",
        "EMFILE",
        "ENFILE",
        "ENODEV",
        "ENOLCK",
        "ENOMEM",
        "ENOSPC",
        "ENOSYS",
        "ENOTSUP",
    ),
    *("ENXIO", "EOPNOTSUPP", "EPERM", "EROFS", "ESTALE", "ETIMEDOUT"),
)


def is_refused_by_system(error: OSError) -> bool:
    """Return whether an error comes from the machine, a disk that is full or a limit, and not from a mistake of ours."""
    # Not every system has all of them.
    return error.errno is not None and errno.errorcode.get(error.errno) in _REFUSALS


class BulkreactError(Exception):
    """Any error that ends a command; exit code 70 means a bug."""

    exit_code = 70


class InputRefusedError(BulkreactError):
    """The usage, the settings or the input must be corrected first; nothing was sent."""

    exit_code = 2


class JournalUnreadableError(InputRefusedError):
    """The journal of a run is damaged, incomplete, of another version, or not accessible."""


class JournalNotAccessibleError(JournalUnreadableError):
    """The system refuses to read a journal, which may be in order."""


class JournalDamagedError(JournalUnreadableError):
    """What a journal records is not what was written to it."""


class OutputRefusedError(InputRefusedError):
    """An output would be written over something else."""


class RefusalCode(StrEnum):
    """Why a file is refused, for programs that offer the remedy."""

    NO_HEADER = "no-header"
    MISSING_COLUMNS = "missing-columns"
    AMBIGUOUS_COLUMNS = "ambiguous-columns"
    NO_SHEET = "no-sheet"
    HIDDEN_ROWS = "hidden-rows"
    NO_ROWS = "no-rows"
    TOO_MANY_ROWS = "too-many-rows"
    INVALID_ROWS = "invalid-rows"
    NOT_A_TABLE = "not-a-table"
    PROTECTED = "protected"
    OLD_EXCEL = "old-excel"
    BAD_ENCODING = "bad-encoding"
    OTHER_BYTES = "other-bytes"
    UNREADABLE = "unreadable"


class RefusalFacts(NamedTuple):
    """What a program needs to offer the remedy: the code, and what is known of the file; both counts are of rows."""

    code: RefusalCode = RefusalCode.NOT_A_TABLE
    header: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    hidden_rows: int | None = None
    rows: int | None = None


_NO_FACTS = RefusalFacts()


class FileRefusedError(InputRefusedError):
    """The input file itself must be corrected; nothing else is wrong.

    ``facts`` are for programs. ``public`` is the reason for people who may not be allowed to read the file: it quotes
    nothing of it that has not passed as a table. It is empty if there is no such reason.
    """

    def __init__(self, message: str, *, public: str = "", facts: RefusalFacts = _NO_FACTS) -> None:
        super().__init__(message)
        self.public = public
        self.facts = facts

    @classmethod
    def plain(cls, message: str, code: RefusalCode = RefusalCode.NOT_A_TABLE) -> "FileRefusedError":
        """Return an error with a message that quotes nothing of the file."""
        return cls(message, public=message, facts=RefusalFacts(code))


class ReaderNotStartedError(BulkreactError):
    """The system could not start the process that reads a workbook: nothing is wrong with the file, nothing was sent."""

    exit_code = 2


class CredentialsRefusedError(BulkreactError):
    """Credentials or permissions were refused; the run stopped and can be resumed."""

    exit_code = 3


class HaltedError(BulkreactError):
    """Too many rows failed; the run stopped and can be resumed."""

    exit_code = 4


class AlreadyRunningError(BulkreactError):
    """Another process works on the same run or for the same partner; nothing was sent."""

    exit_code = 5


class ServiceUnavailableError(BulkreactError):
    """The service, or the way to it, was down for too long; the run stopped and can be resumed."""

    exit_code = 75


class ResultsNotWrittenError(BulkreactError):
    """The result files could not be written; the journal still has every outcome."""

    exit_code = 74


class OutputNotWrittenError(BulkreactError):
    """What a command prints for its user or a program could not be written to standard output."""

    exit_code = 74


class JournalNotWrittenError(BulkreactError):
    """The journal could not be written, so nothing more may be sent; sent calls are repeated under the same ids."""

    exit_code = 74


# The most severe first; after the first six nothing more is attempted.
SEVERITY = (
    EXIT_TERMINATED,
    EXIT_INTERRUPTED,
    BulkreactError.exit_code,
    ResultsNotWrittenError.exit_code,
    CredentialsRefusedError.exit_code,
    ServiceUnavailableError.exit_code,
    HaltedError.exit_code,
    AlreadyRunningError.exit_code,
    InputRefusedError.exit_code,
    EXIT_SOME_FAILED,
    EXIT_SUCCESS,
)
_FATAL = frozenset(SEVERITY[:6])


def most_severe(codes: Iterable[int]) -> int:
    """Return the most severe of several exit codes."""
    return min(codes, key=SEVERITY.index, default=EXIT_SUCCESS)


def is_fatal(code: int) -> bool:
    """Return whether nothing more is attempted after an exit code."""
    return code in _FATAL
