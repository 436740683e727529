"""The types of options that name files: what a command reads, and what it writes."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import click

from bulkreact.runs.output_paths import OutputPath, check_outputs
from bulkreact.runs.own_outputs import OutputKind

_STANDARD_INPUT = "-"


class InputName(click.ParamType[str]):
    """An input file, or ``-`` for standard input."""

    name = "file"


class InputFile(click.Path):
    """Any other file that a command reads."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False, path_type=Path)


class OutputFile(click.Path):
    """A file, or a folder of results, that a command writes; it is checked before the command begins."""

    def __init__(self, kind: OutputKind) -> None:
        is_folder = kind is OutputKind.RESULTS_FOLDER
        super().__init__(dir_okay=is_folder, file_okay=not is_folder, path_type=Path)
        self.kind = kind


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
        elif isinstance(param.type, InputFile) and isinstance(value, Path):
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
