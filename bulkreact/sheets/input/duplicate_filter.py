"""Tells cheaply what most inputs have not: an id in two columns, or an entitlement twice."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# Eight bytes each, and up to three times as much when they are compared. Where there are more, nobody can tell.
_MOST = 1_500_000

_Hashes = NDArray[np.int64]


class Fingerprints:
    """The hashes of an input's ids, alike where ids are alike and hardly ever elsewhere.

    What they deny is certain; what they do not deny must be looked for.
    """

    def __init__(self) -> None:
        self._customers: list[_Hashes] = []
        self._subscriptions: list[_Hashes] = []
        self._entitlements: list[_Hashes] = []
        self._kept = 0

    def add(self, customers: Iterable[str], subscriptions: Iterable[str], entitlements: Iterable[str]) -> None:
        """Take in the ids of some more rows."""
        if self._kept > _MOST:
            return
        added = _hashes(set(customers)), _hashes(set(subscriptions)), _hashes(entitlements)
        for column, hashes in zip((self._customers, self._subscriptions, self._entitlements), added, strict=True):
            column.append(hashes)
            self._kept += len(hashes)
        if self._kept > _MOST:
            self._customers, self._subscriptions, self._entitlements = [], [], []

    @property
    def may_have_duplicates(self) -> bool:
        """Tell whether an entitlement may be wanted twice; subscriptions are wanted without any."""
        return self._kept > _MOST or _repeats(self._entitlements)

    @property
    def may_have_swapped_ids(self) -> bool:
        """Tell whether an id may stand in more than one column."""
        columns = (self._customers, self._subscriptions, self._entitlements)
        return self._kept > _MOST or _repeats([_distinct(column) for column in columns])


def _hashes(ids: Iterable[str]) -> _Hashes:
    return np.fromiter(map(hash, ids), np.int64)


def _distinct(parts: Sequence[_Hashes]) -> _Hashes:
    ordered = _ordered(parts)
    # numpy's own unique does not sort, and takes many times as long.
    distinct: _Hashes = ordered[np.append(ordered[1:] != ordered[:-1], np.True_)[: len(ordered)]]
    return distinct


def _repeats(parts: Sequence[_Hashes]) -> bool:
    ordered = _ordered(parts)
    return bool((ordered[1:] == ordered[:-1]).any())


def _ordered(parts: Sequence[_Hashes]) -> _Hashes:
    ordered: _Hashes = np.concatenate([np.empty(0, np.int64), *parts])
    ordered.sort()
    return ordered
