"""What a run has made durable before it goes on, and when it sends what, in virtual time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bulkreact.batch.journal.journal_file import JOURNAL_NAME, read_only
from bulkreact.errors import JournalNotWrittenError
from bulkreact.models import NoResponse, Reply, Response, Target
from bulkreact.settings import Limits
from tests.scenarios.test_subscription_updates import subscription_target
from tests.support.ids import guid, target
from tests.support.virtual_run import SentCall, VirtualRun

LIMITS = Limits(calls_per_second=None, concurrency=1)
KINDS = pytest.mark.parametrize("kind", [target(guid(1)), subscription_target(1)], ids=["entitlement", "subscription"])


def select(folder: Path, sql: str) -> list[str]:
    """Return the first column of a query, as another process sees the journal now."""
    with closing(read_only(folder)) as connection:
        return [str(value) for (value,) in connection.execute(sql)]


def refuse_outcomes(folder: Path) -> None:
    """Let every transaction fail that records the outcome of a row."""
    with closing(sqlite3.connect(folder / JOURNAL_NAME)) as connection:
        connection.execute(
            "CREATE TRIGGER refused BEFORE INSERT ON outcomes BEGIN SELECT RAISE(ABORT, 'an outcome'); END"
        )


@KINDS
def test_every_call_is_in_the_journal_before_it_is_sent(kind: Target, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([kind])
    journal: list[list[str]] = []
    sql = "SELECT correlation_id FROM calls ORDER BY id"
    virtual_run.on_call = lambda _sent: journal.append(select(tmp_path, sql))
    virtual_run.work(LIMITS)
    sent = [call.correlation_id for call in virtual_run.sent]
    assert journal == [sent[: number + 1] for number in range(len(sent))]


@KINDS
def test_an_answer_is_not_recorded_without_the_outcome_that_follows_from_it(kind: Target, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([kind])
    refuse_outcomes(tmp_path)
    with pytest.raises(JournalNotWrittenError, match="damaged"):
        virtual_run.work(LIMITS)
    unanswered = select(tmp_path, "SELECT correlation_id FROM calls WHERE id NOT IN (SELECT call FROM answers)")
    assert unanswered == [virtual_run.sent[-1].correlation_id]


@KINDS
def test_a_row_is_not_reported_before_its_outcome_is_in_the_journal(kind: Target, tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([kind])
    refuse_outcomes(tmp_path)
    reported: list[int] = []
    virtual_run.on_settled = lambda number, _outcome: reported.append(number)
    with pytest.raises(JournalNotWrittenError, match="damaged"):
        virtual_run.work(LIMITS)
    assert reported == []


def test_what_waits_for_its_turn_is_not_sent_once_the_run_is_stopped(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(8)])
    virtual_run.on_call = lambda _sent: virtual_run.phases[-1].interrupt(terminated=False)
    virtual_run.work(Limits(calls_per_second=1, concurrency=4))
    assert len(virtual_run.sent) == 1


def test_calls_are_further_apart_once_the_partner_was_throttled(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number)) for number in range(40)])
    refusals = iter([Response(429, "", {"retry-after": "1"}, b"")])
    virtual_run.answer = lambda _sent: next(refusals, None)
    virtual_run.work(Limits(calls_per_second=10))
    # At the rate of the beginning they would take two seconds.
    assert virtual_run.sent[30].at - virtual_run.sent[10].at == pytest.approx(2.65, abs=0.25)


def test_a_lost_answer_does_not_show_that_a_throttle_is_over(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(1))])
    throttled = Response(429, "", {}, b"")
    lost = NoResponse(sent=True, code="connection-lost", description="the connection was lost")
    replies: Iterator[Reply] = iter([throttled, lost, throttled])
    virtual_run.answer = lambda _sent: next(replies, None)
    virtual_run.work(LIMITS)
    # Twice as long as after the first one.
    assert virtual_run.sent[3].at - virtual_run.sent[2].at == pytest.approx(4.3, abs=0.25)


def test_of_what_fails_in_several_workers_nothing_is_lost(tmp_path: Path) -> None:
    virtual_run = VirtualRun(tmp_path)
    virtual_run.create_journal([target(guid(number), number) for number in range(9)])

    def answer(sent: SentCall) -> Reply | None:
        if len(virtual_run.sent) > 2:
            raise RuntimeError(sent.path) from KeyError("the cause")
        return None

    virtual_run.answer = answer
    with pytest.raises(RuntimeError) as raised:
        virtual_run.work(Limits(calls_per_second=None))
    assert isinstance(raised.value.__cause__, KeyError)
    assert len(raised.value.__notes__) > 1
