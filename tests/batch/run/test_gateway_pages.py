"""A gateway's page is no answer of Partner Center: tried again under the same id, and five of them stop the run."""

from collections import Counter
from pathlib import Path

import pytest

from bulkreact.models import Reply, Response, RunState, Status
from bulkreact.settings import Limits
from tests.support.ids import guid, target
from tests.support.marks import mostly_soak
from tests.support.virtual_run import SentCall, VirtualRun

LIMITS = Limits(calls_per_second=10.0)
PAGE = b"<html><head><title>Blocked by &quot;Acme&quot; WAF</title></head><body>ref 17</body></html>"


def made(folder: Path, customers: int, rows: int = 40) -> VirtualRun:
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal([target(guid(number), number % customers) for number in range(rows)])
    return virtual_run


def statuses(virtual_run: VirtualRun) -> Counter[Status]:
    return Counter(row.outcome.status for row in virtual_run.rows())


@pytest.mark.parametrize("customers", mostly_soak([8, 1]))
@pytest.mark.parametrize("attempts", [1, 5])
@pytest.mark.parametrize("status", mostly_soak([404, 403, 400, 409, 413], plain=2))
def test_five_pages_of_a_gateway_stop_the_run_and_its_rows_stay_open(
    tmp_path: Path, status: int, attempts: int, customers: int
) -> None:
    virtual_run = made(tmp_path, customers)
    page: Reply = Response(status, "", {"content-type": "text/html"}, PAGE)
    virtual_run.answer = lambda _sent: page
    stop_reason = virtual_run.work(Limits(calls_per_second=10.0, attempts=attempts))
    assert (stop_reason.state, stop_reason.exit_code) == (RunState.ABORTED, 3)
    assert f'HTTP {status}: "Blocked by "Acme" WAF"' in stop_reason.reason
    assert len(virtual_run.sent) == 5
    assert set(statuses(virtual_run)) == {Status.DEFERRED, Status.NOT_ATTEMPTED}
    virtual_run.answer = lambda _sent: None
    assert virtual_run.work(LIMITS).exit_code == 0
    assert statuses(virtual_run) == {Status.ACCEPTED: 40}
    ids = Counter((sent.path, sent.request_id) for sent in virtual_run.sent)
    assert len(ids) == 40


def test_a_few_pages_cost_an_attempt_each_and_no_row(tmp_path: Path) -> None:
    virtual_run = made(tmp_path, 8)
    seen: Counter[str] = Counter()

    def answer(sent: SentCall) -> Reply | None:
        seen[sent.path] += 1
        is_blocked = seen[sent.path] == 1 and sent.path.endswith("0/reactivate")
        return Response(404, "", {}, PAGE) if is_blocked else None

    virtual_run.answer = answer
    assert virtual_run.work(LIMITS).exit_code == 0
    assert statuses(virtual_run) == {Status.ACCEPTED: 40}
    assert len({(sent.path, sent.request_id) for sent in virtual_run.sent}) == 40


def test_a_row_that_a_gateway_blocks_alone_fails_with_the_title_of_the_page(tmp_path: Path) -> None:
    virtual_run = made(tmp_path, 8)
    blocked = guid(17)
    virtual_run.answer = lambda sent: Response(403, "", {}, PAGE) if blocked in sent.path else None
    virtual_run.work(LIMITS)
    row = next(row for row in virtual_run.rows() if row.outcome.status is not Status.ACCEPTED)
    assert (row.outcome.status, row.outcome.code) == (Status.FAILED, "gateway-403")
    assert row.outcome.description == 'Blocked by "Acme" WAF'
    assert row.transient
