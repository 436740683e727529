"""The question before anything is sent."""

import sys

import click

from bulkreact.errors import InputRefusedError
from bulkreact.settings import Service


def confirm(question: str, *, yes: bool, service: Service) -> None:
    """Return when sending is agreed to; InputRefusedError when it is not, or when nobody is there to ask."""
    if yes or service.simulated:
        return
    if not sys.stdin.isatty():
        raise InputRefusedError(
            f"{question} Nobody is there to answer, so nothing was sent. Add --yes to agree beforehand."
        )
    if not click.confirm(question, default=False, err=True):
        raise InputRefusedError("Nothing was sent.")


def question(verb: str, rows: int, customers: int, service: Service) -> str:
    """Return the question with the figures that matter."""
    return f"{verb} {_many(rows, 'subscription')} of {_many(customers, 'customer')} at {service.base_url}?"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
