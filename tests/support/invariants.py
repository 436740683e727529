"""Invariants of every run, checked against the journal and the calls that the partner received."""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bulkreact.batch.journal.journal_file import read_only
from bulkreact.partnercenter.protocol import is_business
from bulkreact.simulator.partnercenter.call_log import CallLog

_REPEATED = """
SELECT count(*) FROM calls AS later JOIN calls AS earlier ON earlier.ordinal = later.ordinal AND earlier.id < later.id
JOIN answers ON answers.call = earlier.id
WHERE later.operation = 'reactivate-entitlement' AND earlier.operation = 'reactivate-entitlement'
    AND answers.business = 1 AND answers.verdict NOT IN ('NotReady', 'Fatal', 'PermissionRefused')
"""
_WRITES = """
SELECT calls.correlation_id, calls.request_id, rows.entitlement_id, answers.http_status
FROM calls JOIN rows USING (ordinal) LEFT JOIN answers ON answers.call = calls.id
WHERE calls.operation = 'reactivate-entitlement'
"""
DROPPED = "dropped"


@dataclass(frozen=True)
class ReceivedCall:
    """One reactivation as the partner saw it; ``answer`` is an HTTP status or ``dropped``."""

    entitlement_id: str
    request_id: str
    correlation_id: str
    answer: str

    @property
    def ends_request_id(self) -> bool:
        """Return whether the answer was a business answer."""
        return self.answer.isdigit() and is_business(int(self.answer))


def received_calls(log: CallLog) -> list[ReceivedCall]:
    """Return the reactivations that a simulated partner has received, in their order."""
    return [
        ReceivedCall(
            str(call["path"]).split("/")[-2], *(str(call[name]) for name in ("request_id", "correlation_id", "answer"))
        )
        for call in log.calls
        if call["method"] == "POST"
    ]


def count_repeated(folder: Path) -> int:
    """Return how many calls a journal has of rows that had a committed business answer before."""
    with closing(read_only(folder)) as connection:
        return int(connection.execute(_REPEATED).fetchone()[0])


def count_second_effects(effects: Iterable[dict[str, str]]) -> int:
    """Return how many effects there are beyond the first of each entitlement."""
    counts = Counter(effect["entitlement_id"] for effect in effects)
    return counts.total() - len(counts)


def count_new_ids_too_early(seen: Iterable[ReceivedCall]) -> int:
    """Return how many calls had a new request id although the one before had no business answer."""
    latest: dict[str, ReceivedCall] = {}
    early = 0
    for call in seen:
        before = latest.get(call.entitlement_id)
        early += before is not None and before.request_id != call.request_id and not before.ends_request_id
        latest[call.entitlement_id] = call
    return early


def find_disagreements(folder: Path, seen: Iterable[ReceivedCall]) -> list[str]:
    """Return the calls on which the journal and the partner disagree."""
    with closing(read_only(folder)) as connection:
        journal = {correlation: rest for correlation, *rest in connection.execute(_WRITES)}
    problems = []
    arrived = {call.correlation_id: call for call in seen}
    for correlation_id, call in arrived.items():
        request_id, entitlement_id, status = journal.get(correlation_id, ("", "", None))
        if (request_id, entitlement_id) != (call.request_id, call.entitlement_id):
            problems.append(f"{correlation_id} is not in the journal as it was sent")
        elif status is not None and str(status) != call.answer:
            problems.append(f"{correlation_id} was answered {call.answer}, the journal says {status}")
    problems += [
        f"{correlation_id} has the answer {status}, but the partner did not receive it"
        for correlation_id, (_, _, status) in journal.items()
        if status is not None and correlation_id not in arrived
    ]
    return problems
