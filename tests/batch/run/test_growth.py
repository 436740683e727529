"""What customers cost that are refused or given up: each its own rows, however many rows the run has."""

from collections import Counter
from pathlib import Path

import pytest

from bulkreact.models import Reply, Response, Status
from bulkreact.settings import Limits, Threshold
from tests.support.ids import guid, target
from tests.support.sqlite_steps import counting_steps
from tests.support.virtual_run import VirtualRun

LIMITS = Limits(calls_per_second=None, concurrency=1, halt=Threshold(), max_retry_after=10)
REFUSED = Response(403, "", {}, b'{"code":20002,"description":"no relationship"}')
THROTTLED = Response(429, "", {"retry-after": "100"}, b"")
ROWS = 5


def settle(folder: Path, customers: int, answer: Reply) -> tuple[int, Counter[Status]]:
    """Give every other customer the same answer; return the number of SQLite's steps, and the rows by status."""
    folder.mkdir()
    answered = {guid(1000 + customer) for customer in range(0, customers, 2)}
    virtual_run = VirtualRun(folder, answer=lambda sent: answer if sent.path.split("/")[3] in answered else None)
    virtual_run.create_journal([target(guid(row), row % customers) for row in range(customers * ROWS)])
    with counting_steps() as steps:
        virtual_run.work(LIMITS)
    # Each of these customers was asked once.
    assert len(virtual_run.sent) == customers // 2 * (ROWS + 1)
    return steps.hundreds, Counter(row.outcome.status for row in virtual_run.rows())


@pytest.mark.soak
@pytest.mark.parametrize(
    ("answer", "status"), [(REFUSED, Status.FAILED), (THROTTLED, Status.DEFERRED)], ids=["refused", "given up"]
)
def test_twice_the_customers_that_are_not_sent_cost_twice_as_much(
    tmp_path: Path, answer: Reply, status: Status
) -> None:
    few, _ = settle(tmp_path / "few", 100, answer)
    many, statuses = settle(tmp_path / "many", 200, answer)
    assert statuses == {status: 500, Status.ACCEPTED: 500}
    assert many < 2.3 * few
