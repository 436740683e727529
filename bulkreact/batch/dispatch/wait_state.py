"""What a queue waits for: how many rows, why, and when the next call is due. No I/O; times are monotonic."""

from collections import Counter
from collections.abc import Iterable

from bulkreact.batch.dispatch.customer_queue import CustomerQueue
from bulkreact.batch.environment import WaitReason, WaitState
from bulkreact.batch.row_source import Item


def describe_waits(
    customers: Iterable[CustomerQueue[Item]],
    *,
    now: float,
    held_until: float,
    unaccounted: int,
    otherwise: WaitReason,
    has_upcoming: bool,
) -> WaitState:
    """Return what the customers of a queue wait for; all are held until ``held_until``.

    ``unaccounted`` are the rows that are neither settled nor in flight. When no call can be made, those without a time of
    their own wait for their throttled customer, or else for what ``otherwise`` names.
    """
    rows: Counter[WaitReason] = Counter()
    due: list[tuple[float, int]] = []
    throttled: list[tuple[float, str]] = []
    is_throttled_only = not has_upcoming
    for customer in customers:
        is_held = customer.held_until > now
        if is_held:
            throttled.append((customer.held_until, customer.customer_id))
        is_throttled_only &= is_held or not customer.has_next
        if is_held and customer.has_next:
            due.append((customer.held_until, 0))
        for waiting in customer.waiting.values():
            rows[waiting.reason] += 1
            due.append((max(waiting.until or now, customer.held_until, held_until), waiting.item.attempts + 1))
    # A read of what was accepted stands for rows that have no time of their own.
    reads = rows.pop(WaitReason.ACTIVATION, 0)
    if is_throttled_only and (rest := unaccounted - rows.total()) > 0:
        rows[WaitReason.THROTTLED if throttled and not reads else otherwise] += rest
    is_held = held_until > now
    earliest = min(due, default=(held_until, 0))
    return WaitState(
        rows=rows,
        held=WaitReason.THROTTLED if is_held else None,
        customers=len(throttled),
        customer=max(throttled, default=(0.0, ""))[1],
        next_seconds=max(0.0, max(earliest[0], held_until) - now) if due or is_held else None,
        attempt=earliest[1] if earliest[1] > 1 else 0,
        longest_seconds=max(0.0, max(due)[0] - now) if due else None,
        is_tail=is_throttled_only and unaccounted > 0,
    )
