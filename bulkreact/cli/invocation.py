"""What is known about a program invocation before its command runs."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import click

from bulkreact.secret_variables import SECRET_VARIABLES

if TYPE_CHECKING:
    from bulkreact.redaction import Redactor

_UNUSUAL = 16


class Invocation:
    """The signals received so far, the value of --log-format as soon as it is parsed, and the secrets known so far."""

    def __init__(self, signals: list[int] | None = None) -> None:
        self.signals = [] if signals is None else signals
        self.log_format = ""

    @cached_property
    def redactor(self) -> "Redactor":
        """Return what hides secrets; those in the environment are known to it from the start."""
        from bulkreact.redaction import Redactor  # noqa: PLC0415 - the list of commands needs none

        redactor = Redactor()
        redactor.add(*secrets_of(os.environ))
        return redactor


def secrets_of(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the secrets in environment variables: those of this program, and the credentials of proxies."""
    from urllib.parse import unquote  # noqa: PLC0415 - the list of commands needs none

    yield from (environment.get(name, "").strip() for name in SECRET_VARIABLES)
    for name, value in environment.items():
        if name.lower().endswith("_proxy") and "@" in value:
            # As proxies are written: with or without a scheme, and names and passwords percent-encoded.
            credentials = value.rpartition("://")[2].rpartition("@")[0]
            yield from (credentials, unquote(credentials), *unquote(credentials).split(":", 1)[1:])


def secrets_in_url(url: str) -> Iterator[str]:
    """Yield a webhook's URL, which is a secret, and those parts of it that are no ordinary words."""
    yield url
    yield from (part for part in re.split("[/?&=;]", url.partition("://")[2])[1:] if len(part) >= _UNUSUAL)


def invocation_of(ctx: click.Context) -> Invocation:
    """Return the invocation that a command belongs to."""
    return ctx.ensure_object(Invocation)
