"""Where results go and how much is reported."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Output:
    """Where results go and how much is said; ``xlsx`` is None where the input decides about the workbook."""

    reports: Path
    results: Path | None
    xlsx: bool | None
    yes: bool
    progress: bool | None
    quiet: bool
    verbose: bool
