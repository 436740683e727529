"""The question before anything is sent."""

import sys
from collections.abc import Callable

import click

from bulkreact.batch.journal.pending_rows import OpenCount
from bulkreact.errors import InputRefusedError
from bulkreact.settings import Service
from bulkreact.wording import plural


def confirm(counted: Callable[[], OpenCount], service: Service, *, yes: bool) -> None:
    """Return when sending is agreed to; otherwise end the command, in words when nobody is there to ask.

    ``counted`` tells how much is to be sent; it is asked only when somebody wants to know.
    """
    if yes or service.simulated:
        return
    count = counted()
    if not count.rows:
        return
    question = f"Reactivate {plural(count.rows, 'subscription')} of {plural(count.customers, 'customer')} at {service.base_url}?"
    if not sys.stdin.isatty():
        raise InputRefusedError(
            f"Nobody is there to be asked: {question} Nothing was sent. Add --yes to agree beforehand."
        )
    if not click.confirm(question, default=False, err=True):
        click.echo("Nothing was sent.", err=True)
        raise click.exceptions.Exit(InputRefusedError.exit_code)
