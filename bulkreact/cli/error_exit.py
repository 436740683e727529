"""The exit code and the message of a command that an exception ends."""

from typing import Self

import click
from msgspec import Struct

from bulkreact.errors import EXIT_INTERRUPTED, BulkreactError, InputRefusedError, is_refused_by_system
from bulkreact.wording import describe_refusal


class ErrorExit(Struct, frozen=True):
    """How an exception ends a command."""

    code: int
    message: str = ""
    is_bug: bool = False

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return the exit that an exception leads to; an Abort is Ctrl-C, or the end of the input at a question."""
        match error:
            case BulkreactError():
                return cls(error.exit_code, str(error))
            case click.exceptions.Exit():
                return cls(error.exit_code)
            case click.ClickException():
                return cls(error.exit_code, error.format_message())
            case click.Abort(__context__=context) if not isinstance(context, KeyboardInterrupt):
                return cls(InputRefusedError.exit_code, "Nothing was sent.")
            case KeyboardInterrupt() | click.Abort():
                return cls(EXIT_INTERRUPTED, "Interrupted. Nothing was sent.")
            case SystemExit(code=int(code)):
                return cls(code, "Interrupted. Nothing was sent.")
            case OSError() if is_refused_by_system(error):
                return cls(InputRefusedError.exit_code, describe_refusal(error))
        message = f"This is a bug in bulkreact ({type(error).__name__}). If there was a run, its journal is kept: "
        return cls(BulkreactError.exit_code, f"{message}the same command checks and continues it.", is_bug=True)
