"""Which cases of a matrix the plain suite runs: a few of each, so that it takes two minutes; the marked part has them all."""

from collections.abc import Iterable

import pytest
from _pytest.mark import ParameterSet


def mostly_soak(values: Iterable[object], *, plain: int = 1) -> list[ParameterSet]:
    """Return the values as parameters: the first ones as they are, the others marked as soak."""
    return [
        pytest.param(value, marks=[] if number < plain else [pytest.mark.soak]) for number, value in enumerate(values)
    ]
