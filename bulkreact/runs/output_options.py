"""Where results go and how much is reported."""

from pathlib import Path

from msgspec import Struct


class Output(Struct, frozen=True):
    """Where results go and how much is reported; ``xlsx`` is None if the input decides about the workbook."""

    reports: Path
    results: Path | None = None
    xlsx: bool | None = None
    yes: bool = False
    progress: bool | None = None
    quiet: bool = False
    verbose: bool = False
