"""Asks before anything is sent or removed."""

import sys
from functools import partial

import click

from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.cli.output.terminal import echo
from bulkreact.errors import InputRefusedError
from bulkreact.runs.partner_connection import PartnerConnection
from bulkreact.runs.preparation import Confirm
from bulkreact.settings import Service
from bulkreact.wording import estimate_duration, plural

_YES = {"y", "yes"}
_ANSWERS = _YES | {"n", "no", ""}


def confirm(
    count: OpenCount,
    remark: str,
    service: Service,
    *,
    yes: bool,
    tenant_id: str = "",
    calls_per_second: float | None = None,
) -> None:
    """Return if the sending of what was counted is confirmed; end the command otherwise.

    The question begins with the ``remark``: what has scrolled by is not read.
    """
    if yes or service.simulated or not count.rows:
        return
    where = f"{service.base_url}, tenant {tenant_id}" if tenant_id else service.base_url
    takes = f"takes {estimate_duration(count.calls / calls_per_second)} and " if calls_per_second else ""
    question = f"Reactivate {plural(count.rows, 'subscription')} of {count.whose} at {where}?"
    ask(f"{remark} {question} That {takes}cannot be undone.".lstrip(), "Nothing was sent.")


def confirmation(connection: PartnerConnection, *, yes: bool) -> Confirm:
    """Return the function that asks before a connection sends; without a token nothing is sent, so it does not ask."""
    return partial(
        confirm,
        service=connection.service,
        yes=yes or bool(connection.access.refusal),
        tenant_id=connection.access.tenant_id,
        calls_per_second=connection.limits.calls_per_second,
    )


def ask(question: str, refusal_message: str) -> None:
    """Return if the question is answered with yes; else end the command with ``refusal_message``."""
    if not sys.stdin.isatty():
        raise InputRefusedError(f"Not a terminal, so I cannot ask: {question} {refusal_message} Add --yes to confirm.")
    answer = "?"
    while answer.strip().lower() not in _ANSWERS:
        echo(f"{question} [y/N]: ", err=True, end="")
        answer = sys.stdin.readline()
    if not answer:
        # The end of the input; in a sweep other files may have been sent before.
        raise click.Abort
    if answer.strip().lower() not in _YES:
        echo(refusal_message, err=True)
        raise click.exceptions.Exit(InputRefusedError.exit_code)
