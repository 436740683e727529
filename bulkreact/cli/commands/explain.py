"""``bulkreact explain``: explains error codes and statuses."""

import shutil
import sys

import click

from bulkreact.cli.command import ConfiguredCommand
from bulkreact.cli.output.terminal import echo
from bulkreact.partnercenter.error_codes.entry import AnswerClass, ErrorCode
from bulkreact.partnercenter.error_codes.lookup import (
    all_entries,
    find_entries,
    generic_code,
    http_status_of,
    name_failed_file,
)
from bulkreact.wording import wrap_lines

_EFFECTS = {
    AnswerClass.DONE: "The row has succeeded.",
    AnswerClass.PERMANENT: "The row fails; the others go on.",
    AnswerClass.CUSTOMER: "The row fails, and with it the customer's other rows, without a call for each.",
    AnswerClass.RETRY: "The call is repeated with growing pauses, under the same request id, as often as --attempts says.",
    AnswerClass.RETRY_ONCE: "The call is repeated once, then the row fails.",
    AnswerClass.CONFLICT: "The subscription is read and updated again, twice at most.",
    AnswerClass.NOT_READY: "The call is repeated after two minutes, three times at most, then the row is deferred.",
    AnswerClass.PARENT: "The row waits until the parent is active, if that is a row of the same run; else it is deferred.",
    AnswerClass.LATER: "The row is deferred; a later run may succeed.",
    AnswerClass.CHECK: "The subscription is read: if it is active, the row has succeeded, otherwise it fails.",
    AnswerClass.PERMISSION: "The row fails; five such answers in succession before any success stop the run.",
    AnswerClass.TOKEN: "The token is renewed and the call repeated once; refused again, the run stops.",
    AnswerClass.FATAL: "The run stops and can be continued when the cause is settled.",
    AnswerClass.THROTTLED: "The customer's rows, or all, wait as long as Partner Center asks; the row is then sent again.",
}

# Which of them a run has depends on its input.
_FAILED_FILES = "failed.csv or failed.xlsx"


@click.command("explain", cls=ConfiguredCommand)
@click.argument("codes", nargs=-1, metavar="CODE...")
@click.option("--list", "list_all", is_flag=True, help="List all codes, one a line, instead.")
def command(codes: tuple[str, ...], *, list_all: bool) -> None:
    """Say what error codes or statuses mean, who must act and what to do. Works offline.

    CODE is an error_code or a status of a results file, an HTTP status (404), or an AADSTS number.
    """
    if list_all == bool(codes):
        raise click.UsageError("Name the codes to explain, or --list for all of them.")
    if list_all:
        text = "\n".join(f"{_title(entry)}: {entry.description}" for entry in all_entries())
    else:
        text = "\n\n".join(_explain(code) for code in codes)
    # Without Rich, which takes longer to import than all else here.
    echo(wrap_lines(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text)


def _explain(code: str) -> str:
    if entries := find_entries(code):
        return "\n\n".join(_format_entry(entry, code) for entry in entries)
    return (
        f"{code}: not in the catalogue. New codes are normal; what counts then is the HTTP status beside it in the\n"
        "results (http_status):\n"
        "  4xx  Partner Center refused the row for good (429: it asked to wait). Read error_description.\n"
        f"  5xx  Partner Center was at fault: the call was repeated. Run {_FAILED_FILES} later.\n"
        f"  Ask for the status itself: bulkreact explain {generic_code(404)}"
    )


def _format_entry(entry: ErrorCode, code: str) -> str:
    lines = [f"{_title(entry, code)}: {entry.description}."]
    if entry.answer_class is not None:
        lines.append(f"  What bulkreact does: {_EFFECTS[entry.answer_class]}")
    lines.append(f"  Who must act: {entry.responsible}")
    if entry.advice:
        lines.append(f"  What to do: {name_failed_file(entry.advice, _FAILED_FILES)}")
    return "\n".join(lines)


def _title(entry: ErrorCode, code: str = "") -> str:
    """Return the code of an entry; one that has only a status is called by the ``code`` that was asked for."""
    if not entry.code:
        return generic_code(http_status_of(code) or entry.http_status or 0)
    return entry.code if entry.http_status is None else f"{entry.code} (HTTP {entry.http_status})"
