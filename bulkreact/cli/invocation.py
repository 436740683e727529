"""What is known about a program invocation before its command runs."""

from dataclasses import dataclass, field

import click


@dataclass(slots=True)
class Invocation:
    """The signals received so far, and the value of --log-format as soon as it is parsed."""

    signals: list[int] = field(default_factory=list)
    log_format: str = ""


def invocation_of(ctx: click.Context) -> Invocation:
    """Return the invocation that a command belongs to."""
    return ctx.ensure_object(Invocation)
