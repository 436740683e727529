"""Compares an input with its saved plan."""

import json
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path

from msgspec import Struct

from bulkreact.batch.journal.preview import PlannedTarget
from bulkreact.errors import InputRefusedError

# Row, kind, customer, subscription and entitlement.
_TARGET_LENGTH = 5
# In bytes: some three million rows. What is read of it takes ten times as much memory.
_LARGEST = 512 << 20


class SavedPlan(Struct, frozen=True):
    """A saved plan; ``targets`` is None if it was printed without them."""

    path: Path
    digest: str
    targets: list[list[object]] | None

    def compare(self, digest: str, targets: Iterable[PlannedTarget], *, name: str) -> None:
        """Check that an input has the planned targets; InputRefusedError names the first difference."""
        if digest == self.digest:
            return
        for before, now in zip_longest(self.targets, targets) if self.targets is not None else ():
            # Rows may have moved; only what is sent, and in which order, counts.
            if before is None or now is None or list(before)[1:] != list(now)[1:]:
                raise InputRefusedError(
                    f"{name} is not what {self.path} was made from. The first difference: planned is "
                    f"{_describe(before)}, and there is {_describe(now)}. Nothing was sent. Look at both, then make "
                    f"another plan."
                )
        raise InputRefusedError(f"{name} is not what {self.path} was made from. Nothing was sent. Make another plan.")


def load_plan(path: Path) -> SavedPlan:
    """Return a saved plan; InputRefusedError if the file has none."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
        # What is cut off is no JSON.
        content = json.loads(text[:_LARGEST])
        # Without them only the digest is compared.
        has_targets = "targets" in content and not content.get("targets_omitted")
        targets = [list(target) for target in content["targets"]] if has_targets else []
        if {len(target) for target in targets} - {_TARGET_LENGTH}:
            raise ValueError("not targets")  # noqa: TRY301 - refused like everything else that is not a plan
        return SavedPlan(path, str(content["digest"]), targets if has_targets else None)
    except OSError as error:
        raise InputRefusedError(f"The plan {path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputRefusedError(f"{path} is not a plan. Make one with: bulkreact plan INPUT --out FILE") from None


def _describe(target: Iterable[object] | None) -> str:
    if target is None:
        return "nothing more"
    row, _, *ids = target
    return f"row {row} with {' / '.join(map(str, filter(None, ids)))}"
