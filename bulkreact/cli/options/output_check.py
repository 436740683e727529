"""Checks before a command begins that none of its outputs is written over something else."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from bulkreact.cli.options.paths import InputName, OutputFile, ReadablePath
from bulkreact.runs.output_paths import OutputPath, check_outputs

_STANDARD_INPUT = "-"


def refuse_unsafe_outputs(ctx: click.Context) -> None:
    """Raise OutputRefusedError if a command would write over what is not its own earlier output."""
    if outputs := list(_outputs(ctx)):
        check_outputs(outputs, {**dict(_inputs(ctx)), **dict(_streams())}, ctx.params.get("reports"))


def _outputs(ctx: click.Context) -> Iterator[OutputPath]:
    for param in ctx.command.params:
        value = ctx.params.get(str(param.name))
        if isinstance(param.type, OutputFile) and isinstance(value, Path):
            yield OutputPath(_option_of(param), value, param.type.kind)


def _inputs(ctx: click.Context) -> Iterator[tuple[str, Path | int]]:
    for param in ctx.command.params:
        value = ctx.params.get(str(param.name))
        if isinstance(param.type, InputName) and value == _STANDARD_INPUT:
            with suppress(OSError, ValueError, AttributeError):
                yield "the input", sys.stdin.fileno()
        elif isinstance(param.type, InputName) and isinstance(value, str):
            yield "the input", Path(value)
        elif isinstance(param.type, ReadablePath) and isinstance(value, Path):
            yield f"the file of {_option_of(param)}", value


def _streams() -> Iterator[tuple[str, int]]:
    """Yield the streams that the command writes to."""
    streams: dict[str, TextIO] = {"standard output": sys.stdout, "standard error": sys.stderr}
    for name, stream in streams.items():
        # A stream may be closed, or none at all.
        with suppress(OSError, ValueError, AttributeError):
            yield name, stream.fileno()


def _option_of(param: click.Parameter) -> str:
    return param.opts[0] if isinstance(param, click.Option) else ""
