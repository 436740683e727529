"""The results of measures: figures with their spread, their thresholds, and a table of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

_HEADER = ("measure", "against", "median", "from", "to", "must be", "")


@dataclass(frozen=True, slots=True)
class Threshold:
    """What a figure must reach; with neither end it is only reported."""

    least: float | None = None
    most: float | None = None

    def met(self, value: float) -> bool:
        """Return whether a figure is good enough."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @property
    def description(self) -> str:
        """Return the threshold as text."""
        if self.least is not None and self.most is not None:
            return f"{self.least:g} to {self.most:g}"
        if self.least is not None:
            return f">= {self.least:g}"
        return f"<= {self.most:g}" if self.most is not None else "reported"


REPORTED = Threshold()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``values`` are those of the repetitions, ``detail`` is for programs alone."""

    measure: str
    against: str
    values: tuple[float, ...]
    threshold: Threshold = REPORTED
    unit: str = "x"
    detail: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Return the figure that counts."""
        return median(self.values)

    @property
    def passed(self) -> bool:
        """Return whether the median is good enough."""
        return self.threshold.met(self.median)

    @property
    def cells(self) -> tuple[str, ...]:
        """Return the line as it is shown."""
        shown = [f"{value:.3f} {self.unit}" for value in (self.median, min(self.values), max(self.values))]
        verdict = "" if self.threshold == REPORTED else "pass" if self.passed else "MISSED"
        return (self.measure, self.against, *shown, self.threshold.description, verdict)


def table(rows: Iterable[Row]) -> str:
    """Return rows as a table for people."""
    lines = [_HEADER, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_json(rows: Iterable[Row]) -> list[dict[str, object]]:
    """Return rows for programs."""
    return [{**asdict(row), "median": row.median, "passed": row.passed} for row in rows]
