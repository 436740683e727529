"""Decides where a command may write: never over an input, another output, or a file that is not its own earlier one.

It is asked before anything is sent, and again right before a file is written: a run may take hours. No link is
followed.
"""

import hashlib
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.journal_file import JOURNAL_NAME
from bulkreact.errors import OutputRefusedError
from bulkreact.runs.output_kinds import OutputKind
from bulkreact.runs.own_outputs import FOLDER_FILES, is_own_output
from bulkreact.sheets.output.results_csv import LATEST
from bulkreact.wording import DescribedError


class OutputPath(Struct, frozen=True):
    """What an option writes and where; ``option`` is empty for an argument."""

    option: str
    path: Path
    kind: OutputKind

    def __str__(self) -> str:
        return f"{self.option} {self.path}".strip()


def check_outputs(outputs: Sequence[OutputPath], others: Mapping[str, Path | int], reports: Path | None) -> None:
    """Raise OutputRefusedError unless all outputs of a command may be written.

    ``others`` are its inputs and standard streams, paths or descriptors, by what messages call them; ``reports`` is its
    folder for runs.
    """
    problems = [problem for output in outputs for problem in _problems(output, others, reports)]
    problems += [
        f"{first} and {second} are the same file: name another."
        for first, second in combinations(outputs, 2)
        if _is_same(first.path, second.path)
    ]
    if problems:
        raise OutputRefusedError("\n".join(problems))


def refuse_replacing(output: OutputPath) -> None:
    """Raise OutputRefusedError if what is at an output's path must not be replaced."""
    if problem := find_problem(output):
        raise OutputRefusedError(problem)


def refuse_input(output: OutputPath, sha256: str) -> None:
    """Raise OutputRefusedError if the file of an output is a run's input, known by its digest: it may be a results file."""
    if not output.path.is_file():
        return
    with output.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
            raise OutputRefusedError(f"{output} would overwrite the input of the run: name another file.")


def check_again(output: OutputPath) -> None:
    """Raise DescribedError if an output may not be written any more."""
    if problem := find_problem(output):
        raise DescribedError(problem)


def find_problem(output: OutputPath) -> str:
    """Return why what is at the path now must not be replaced, empty if it may be or there is nothing."""
    path, kind = output.path, output.kind
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return f"{output} is a link, and links are not followed: name the file itself."
        if kind in FOLDER_FILES:
            files = (OutputPath(output.option, path / name, other) for name, other in FOLDER_FILES[kind].items())
            return next(filter(None, map(find_problem, files)), "")
        if not stat.S_ISREG(mode):
            return f"{output} is not a regular file: name another."
        if not is_own_output(path, kind):
            return f"{output} exists already, and is left as it is: it is not {kind}. Name another, or remove it first."
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"{output} exists already, and cannot be read: {error.strerror}. Name another."
    return ""


def _problems(output: OutputPath, others: Mapping[str, Path | int], reports: Path | None) -> Iterator[str]:
    """Yield what is wrong with an output, at most one sentence."""
    path, is_folder = output.path, output.kind in FOLDER_FILES
    overwritten = next((name for name, other in others.items() if _is_same_file(path, other)), "")
    if str(path) == "-":
        yield f"{output} names no file: name one, or leave it out."
    elif overwritten:
        yield f"{output} would overwrite {overwritten}: name another file."
    elif problem := find_problem(output):
        yield problem
    elif _is_in_run(path if is_folder else path.parent):
        yield f"{output} lies in the folder of a run, which has only that run's own files: name another."
    elif reports and _is_record(path, reports):
        yield f"{output} is a name that the program uses itself in {reports}: name another."
    # Metrics that cannot be written are worth a warning.
    elif output.kind not in {OutputKind.METRICS, *FOLDER_FILES} and not _is_writable(path):
        yield f"{output} cannot be written: there is no folder {path.parent}, or it cannot be written to. Name another."


def _is_in_run(folder: Path) -> bool:
    resolved = folder.resolve()
    return any((parent / JOURNAL_NAME).is_file() for parent in (resolved, *resolved.parents))


def _is_record(path: Path, reports: Path) -> bool:
    """Return whether a reports folder has, or will have, a file of this name."""
    name = path.name.casefold()
    return (name == LATEST or name.startswith(".") or ".sqlite3" in name) and _is_same_file(path.parent, reports)


def _is_writable(path: Path) -> bool:
    return os.access(path.absolute().parent, os.W_OK)


def _is_same(first: Path, second: Path) -> bool:
    """Return whether two paths are, or would be, one file; names differ in more than letter case everywhere."""
    if _is_same_file(first, second):
        return True
    return _fold_case(first.name) == _fold_case(second.name) and _is_same_file(first.parent, second.parent)


def _fold_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _is_same_file(path: Path, other: Path | int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(other) if isinstance(other, int) else other.stat())
    except OSError:
        return False
