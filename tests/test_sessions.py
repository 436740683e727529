"""One run, several processes: what one of them leaves behind the next understands, in virtual time."""

from pathlib import Path

from ids import facts, fated, guid, target
from laboratory import Laboratory, Sent

from bulkreact.batch.journal import create, seal
from bulkreact.models import InputRow, Response, RunState, Status
from bulkreact.settings import Limits, Verification
from bulkreact.simulator.world import Rules

ALONE = Limits(calls_per_second=None, concurrency=1)
LOOK = Limits(calls_per_second=None, verify=Verification(after=0, timeout=0))


def with_a_lost_row(folder: Path) -> Laboratory:
    """Return a laboratory with a run of two rows of one customer; the second was lost in an earlier run."""
    laboratory = Laboratory(folder, Rules(activation_delay=0))
    rows = [InputRow(2, ("x",), target(guid(1))), InputRow(3, ("x",), target(guid(2)), request_id=guid(555), lost=True)]
    create(folder, rows)
    seal(folder, facts(header=("a",), uuid=guid(77)))
    return laboratory


def refuse_the_customer(sent: Sent) -> Response | None:
    """Refuse the customer when the first row is sent."""
    refusal = b'{"code":20002,"description":"no relationship"}'
    return Response(403, "", {}, refusal) if guid(1) in sent.path and sent.method == "POST" else None


def test_what_is_said_of_an_unsent_lost_row_is_overtaken_by_its_first_call(tmp_path: Path) -> None:
    laboratory = with_a_lost_row(tmp_path)
    laboratory.answer = refuse_the_customer
    laboratory.work(ALONE)
    assert [row.outcome.status for row in laboratory.rows()] == [Status.FAILED, Status.UNKNOWN]
    laboratory.answer = lambda _sent: Response(500, "", {}, b"")
    laboratory.told = lambda _sent: laboratory.phases[-1].interrupt(terminated=False)
    laboratory.work(ALONE)
    _, lost = laboratory.rows()
    assert (lost.outcome.status, lost.outcome.attempts, lost.outcome.code) == (Status.UNKNOWN, 1, "http-500")
    assert lost.outcome.call is not None
    assert lost.outcome.call.request_id == guid(555) == laboratory.sent[-1].request_id


def test_a_row_that_was_only_read_is_no_row_that_was_sent(tmp_path: Path) -> None:
    laboratory = with_a_lost_row(tmp_path)
    laboratory.work(LOOK, send=False, command="verify")
    assert [sent.method for sent in laboratory.sent] == ["GET"]
    laboratory.answer = refuse_the_customer
    laboratory.work(ALONE)
    assert [(row.outcome.status, row.settled) for row in laboratory.rows()] == [
        (Status.FAILED, True),
        (Status.UNKNOWN, True),
    ]
    assert laboratory.phases[-1].tally.settled == 2


def test_a_run_that_halts_is_not_watched(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Rules(activation_delay=0))
    laboratory.make([target(guid(n) if n < 5 else fated(800111, n), n) for n in range(60)])
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0))
    assert laboratory.work(limits).exit_code == 4
    assert {sent.method for sent in laboratory.sent} == {"POST"}
    assert sum(row.outcome.status is Status.ACCEPTED for row in laboratory.rows()) == 5


def test_without_a_token_nothing_more_is_sent_and_the_next_session_goes_on(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Rules(activation_delay=0))
    laboratory.make([target(guid(number), number) for number in range(40)])
    laboratory.refusal = lambda: "the secret has expired" if len(laboratory.sent) >= 10 else ""
    limits = Limits(calls_per_second=10, concurrency=4, verify=Verification(after=0))
    ending = laboratory.work(limits)
    assert (ending.state, ending.exit_code, ending.reason) == (RunState.ABORTED, 3, "the secret has expired")
    # Those whose token was good already when the trouble began are sent, and no other; no turn is spent on waiting.
    assert 10 <= len(laboratory.sent) <= 14
    assert sum(row.settled for row in laboratory.rows()) == len(laboratory.sent)
    laboratory.refusal = lambda: ""
    assert laboratory.work(limits).exit_code == 0
    assert [row.outcome.status for row in laboratory.rows()] == [Status.REACTIVATED] * 40
    assert len({sent.path for sent in laboratory.sent if sent.method == "POST"}) == 40
    assert sum(sent.method == "POST" for sent in laboratory.sent) == 40


def test_without_a_token_watching_stops_and_what_was_accepted_stays_so(tmp_path: Path) -> None:
    laboratory = Laboratory(tmp_path, Rules(activation_delay=3600))
    laboratory.make([target(guid(number), number) for number in range(5)])
    laboratory.refusal = lambda: "signed out" if any(sent.method == "GET" for sent in laboratory.sent) else ""
    limits = Limits(calls_per_second=10, concurrency=1, verify=Verification(after=0, timeout=60))
    assert laboratory.work(limits).exit_code == 3
    assert sum(sent.method == "GET" for sent in laboratory.sent) == 1
    assert {row.outcome.status for row in laboratory.rows()} == {Status.ACCEPTED}
