"""After a 401 the other calls wait for the one that finds out whether a new token helps."""

from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from bulkreact.models import Reply, Response, Status
from bulkreact.settings import Limits
from tests.support.ids import guid, target
from tests.support.virtual_run import SentCall, VirtualRun

# An answer takes 0.05 s: so much after one, those to all calls that were made before it have come.
_IN_FLIGHT_SECONDS = 0.06
LIMITS = Limits(calls_per_second=200.0, concurrency=16, per_customer=4)


@pytest.fixture
def refusing_run(tmp_path: Path) -> VirtualRun:
    """Return a run whose token is refused from the twentieth call on."""
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number % 8) for number in range(60)])
    number = count()

    def answer(_sent: SentCall) -> Reply | None:
        return Response(401, "", {"ms-cv": "x"}, b"") if next(number) >= 20 else None

    virtual_run.answer = answer
    return virtual_run


def calls_after_the_first_refusal(virtual_run: VirtualRun) -> list[SentCall]:
    """Return the calls that were made when those in flight at the first refusal had been answered."""
    first = next(sent for sent in virtual_run.sent if sent.status == 401)
    return [sent for sent in virtual_run.sent if sent.at > first.at + _IN_FLIGHT_SECONDS]


def test_one_call_alone_shows_that_no_token_helps(refusing_run: VirtualRun) -> None:
    assert refusing_run.work(LIMITS).exit_code == 3
    (last,) = calls_after_the_first_refusal(refusing_run)
    refused = [sent.path for sent in refusing_run.sent if sent.status == 401]
    assert 2 < len(refused) <= LIMITS.concurrency + 1
    assert Counter(refused)[last.path] == 2
    assert refusing_run.renewals


def test_all_go_on_when_a_new_token_helps(refusing_run: VirtualRun) -> None:
    refuse = refusing_run.answer
    refusing_run.answer = lambda sent: None if refusing_run.renewals else refuse(sent)
    assert refusing_run.work(LIMITS).exit_code == 0
    first, *others = calls_after_the_first_refusal(refusing_run)
    # The others wait until the answer to the first one has come.
    assert min(sent.at for sent in others) >= first.at + 0.05
    assert {row.outcome.status for row in refusing_run.rows()} == {Status.ACCEPTED}
    assert len({(sent.path, sent.request_id) for sent in refusing_run.sent}) == 60
