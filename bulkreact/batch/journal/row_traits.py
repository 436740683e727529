"""Notes, while rows are inserted, what need not be looked for among them afterwards.

Looking takes SQLite three seconds for a million rows, a quarter of what reading them takes; nearly no file has any of it.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import astuple

from bulkreact.models import InputRow
from bulkreact.plain_rows import PlainRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# With fewer rows SQLite has looked before numpy is imported.
_FEW = 10_000


@dataclass(frozen=True, slots=True)
class RowTraits:
    """What rows may have: a trait that is false is certain, a true one must be looked for."""

    may_have_swapped_ids: bool = True
    may_have_duplicates: bool = True
    may_have_request_ids: bool = True
    may_have_subscriptions: bool = True


ANY_TRAITS = RowTraits()


class TraitFinder:
    """Collects hashes of ids, eight bytes each: equal ids have equal hashes, and hardly any others do."""

    def __init__(self) -> None:
        self._has_request_ids = False
        self._customers, self._subscriptions, self._entitlements = array("q"), array("q"), array("q")

    def add(self, rows: Sequence[InputRow] | PlainRows) -> None:
        """Note some more rows."""
        if isinstance(rows, PlainRows):
            ids = rows.ids
        else:
            self._has_request_ids = self._has_request_ids or any(row.request_id for row in rows)
            ids = list(zip(*(astuple(row.target) for row in rows if row.target), strict=True))
        if ids:
            customers, subscriptions, entitlements = ids
            self._customers.extend(map(hash, set(customers)))
            self._subscriptions.extend(map(hash, set(subscriptions)))
            self._entitlements.extend(map(hash, entitlements))

    def traits(self) -> RowTraits:
        """Return what the rows may have."""
        if len(self._entitlements) < _FEW:
            return ANY_TRAITS
        customers, subscriptions, entitlements = map(
            _sorted, (self._customers, self._subscriptions, self._entitlements)
        )
        pairs = (customers, subscriptions), (customers, entitlements), (subscriptions, entitlements)
        return RowTraits(
            may_have_swapped_ids=any(_have_common(*pair) for pair in pairs),
            may_have_duplicates=bool((entitlements[1:] == entitlements[:-1]).any()),
            may_have_request_ids=self._has_request_ids,
            may_have_subscriptions=bool((entitlements == hash("")).any()),
        )


def _sorted(hashes: "array[int]") -> "NDArray[np.int64]":
    """Sort hashes where they are, and return a view of them."""
    import numpy as np  # noqa: PLC0415 - pandas has loaded it

    view = np.frombuffer(hashes, np.int64)
    view.sort()
    return view


def _have_common(few: "NDArray[np.int64]", many: "NDArray[np.int64]") -> bool:
    """Return whether two sorted columns have a hash in common."""
    return bool((many.take(many.searchsorted(few), mode="clip") == few).any())
