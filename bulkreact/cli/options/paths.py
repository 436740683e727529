"""The types of options that name files: what a command reads, and what it writes."""

from pathlib import Path

import click

from bulkreact.runs.output_kinds import OutputKind


class InputName(click.ParamType[str]):
    """An input file, or ``-`` for standard input."""

    name = "file"


class ReadablePath(click.Path):
    """Any other file that a command reads."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(exists=exists, dir_okay=False, path_type=Path)


class OutputFile(click.Path):
    """A file, or a folder of files, that a command writes; it is checked before the command begins."""

    def __init__(self, kind: OutputKind) -> None:
        is_folder = kind in {OutputKind.CONTROL_FOLDER, OutputKind.PLAN_FOLDER, OutputKind.RESULTS_FOLDER}
        super().__init__(dir_okay=is_folder, file_okay=not is_folder, path_type=Path)
        self.kind = kind
