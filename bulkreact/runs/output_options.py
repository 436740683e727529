"""Where results go and how much is reported."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go and how much is reported; ``xlsx`` is None if the input decides about the workbook."""

    reports: Path
    results: Path | None = None
    xlsx: bool | None = None
    yes: bool = False
    progress: bool | None = None
    quiet: bool = False
    verbose: bool = False
