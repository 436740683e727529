"""The journal as a state machine: random answers, kills and reads, reopened for each, against a plain dictionary."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from bulkreact.batch.dispatch.reaction import AbortRun, Answered, AttemptLimits, react
from bulkreact.batch.journal.call_log import load_progress
from bulkreact.batch.journal.call_tail import CallCounts
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.retry_candidates import candidates
from bulkreact.batch.journal.row_results import result_rows
from bulkreact.batch.journal.watched_rows import WATCHED, WatchSelection
from bulkreact.batch.journal.writer import Writer
from bulkreact.batch.policy import Finish, decide, outcome_if_aborted, outcome_if_open
from bulkreact.batch.progress import RowProgress, Unsent, advance
from bulkreact.models import Answer, Call, Operation, Outcome, Status
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.verdicts import Verdict
from bulkreact.sheets.output.results_csv import count_rows
from bulkreact.sheets.result_columns import result_cells
from tests.batch.journal.all_pages import BY_OUTCOME, find_wrong_pages, read_chunks
from tests.batch.journal.test_journal import make, open_rows, valid
from tests.support.ids import AT, guid, target

WRITE, READ = Operation.REACTIVATE_ENTITLEMENT, Operation.GET_ENTITLEMENT


def make_answer(status: int | None, code: str = "", *, business: bool) -> Answer:
    """Return an answer as a verdict carries it."""
    return Answer(status, code, "words", business=business)


UNAVAILABLE = verdicts.Transient(make_answer(503, "http-503", business=False))
LOST = verdicts.Transient(make_answer(None, "no-answer", business=False), lost=True)
WRITTEN: dict[str, Verdict] = {
    "accepted": verdicts.Accepted(make_answer(202, business=True)),
    "refused": verdicts.Refused(make_answer(404, "800111", business=True)),
    "redirected": verdicts.Refused(make_answer(302, "unexpected-redirect", business=False)),
    "busy": verdicts.NotReady(make_answer(409, "800082", business=True)),
    "postponed": verdicts.TryLater(make_answer(409, "900278", business=True)),
    "contested": verdicts.AmbiguousRefusal(make_answer(400, "900337", business=True)),
    "unavailable": UNAVAILABLE,
    "timed out": replace(LOST, answer=make_answer(None, "timed-out", business=False)),
    "unreachable": verdicts.Transient(make_answer(None, "unreachable", business=False), sent=False),
    "throttled": verdicts.Throttled(make_answer(429, "http-429", business=False), 1.0),
    "fatal": verdicts.Fatal(make_answer(403, "900329", business=True)),
}
READINGS: dict[str, Verdict] = {
    "active": verdicts.StatusRead(make_answer(200, business=True), "active"),
    "inactive": verdicts.StatusRead(make_answer(200, business=True), "inactive"),
    "another word": verdicts.StatusRead(make_answer(200, business=True), "warming"),
    "refused": verdicts.Refused(make_answer(404, "800111", business=True)),
    "unavailable": UNAVAILABLE,
}


@dataclass
class Model:
    """What one row should be: how far it has come, what is said of it, and whether a resume would send it."""

    progress: RowProgress
    shown: Status | None = None
    open: bool = True

    @property
    def status(self) -> Status:
        """Return the status that results must have."""
        return self.shown or outcome_if_open(self.progress).status


@settings(stateful_step_count=30)
class JournalMachine(RuleBasedStateMachine):
    """Calls, answers, kills and looks in any order; ``attempts`` is so small that rows also fail for good."""

    @initialize(count=st.integers(1, 4), carried=st.booleans(), attempts=st.integers(1, 3))
    def begin(self, count: int, carried: bool, attempts: int) -> None:
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = make(Path(self.temporary.name), [valid(number, lost=carried) for number in range(2, 2 + count)])
        self.rows = {ordinal: Model(RowProgress(stage=Unsent(carried))) for ordinal in range(1, count + 1)}
        self.carried = carried
        self.attempts = attempts
        self.calls = 0
        self.counted = CallCounts()

    def teardown(self) -> None:
        if hasattr(self, "temporary"):
            self.check()
            self.temporary.cleanup()

    def _some(self, data: st.DataObject, operation: Operation) -> int | None:
        ordinals = [ordinal for ordinal, row in self.rows.items() if row.open and row.progress.operation is operation]
        return data.draw(st.sampled_from(ordinals)) if ordinals else None

    def _commit(self, ordinal: int, operation: Operation, verdict: Verdict | None, outcome: Outcome | None) -> None:
        async def work() -> None:
            writer = Writer(self.folder / "journal.sqlite3")
            # Every call is another process's.
            recorder = Recorder(writer, session=self.calls + 1, first_call=self.calls + 1)
            call = await recorder.record_call(
                ordinal, operation, request_id=guid(1), correlation_id=guid(2), started_at=AT
            )
            if verdict:
                settled = [(ordinal, outcome)] if outcome else []
                answered = Call(call, guid(1), guid(2), AT, AT, verdict.answer)
                await recorder.record_answer(answered, verdict, settled=settled)
            await writer.close()

        asyncio.run(work())
        self.calls += 1

    def _answer(self, ordinal: int, operation: Operation, verdict: Verdict) -> None:
        row = self.rows[ordinal]
        before = row.progress
        call = Call(self.calls + 1, guid(1), guid(2), AT, AT, verdict.answer)
        row.progress = advance(before, verdict, call)
        reaction = react(
            verdict,
            failures=len(before.retries.failures),
            token_refused=before.token_refused,
            limits=AttemptLimits(self.attempts, 300),
            chance=0.5,
        )
        outcome = None
        if isinstance(reaction, AbortRun):
            outcome = outcome_if_aborted(before, row.progress)
        elif isinstance(reaction, Answered):
            step = decide(before, row.progress, verdict)
            outcome = step.outcome if isinstance(step, Finish) else None
        self._commit(ordinal, operation, verdict, outcome)
        if operation is WRITE:
            row.shown = None
        if outcome:
            row.shown = outcome.status
            row.open = outcome.reopen or outcome.status is Status.UNKNOWN

    @rule(data=st.data(), name=st.sampled_from(sorted(WRITTEN)))
    def answer_a_write(self, data: st.DataObject, name: str) -> None:
        if ordinal := self._some(data, WRITE):
            self._answer(ordinal, WRITE, WRITTEN[name])

    @rule(data=st.data(), name=st.sampled_from(sorted(READINGS)))
    def answer_a_read(self, data: st.DataObject, name: str) -> None:
        if ordinal := self._some(data, READ):
            self._answer(ordinal, READ, READINGS[name])

    @rule(data=st.data())
    def killed_before_the_answer_to_a_write_was_stored(self, data: st.DataObject) -> None:
        if ordinal := self._some(data, WRITE):
            row = self.rows[ordinal]
            self._commit(ordinal, WRITE, None, None)
            row.progress = advance(row.progress, LOST, Call(self.calls, guid(1), guid(2), AT, "", LOST.answer))
            row.shown = None

    @rule(data=st.data())
    def killed_before_the_answer_to_a_read_was_stored(self, data: st.DataObject) -> None:
        if ordinal := self._some(data, READ):
            self._commit(ordinal, READ, None, None)

    @precondition(lambda self: any(row.status in WATCHED for row in self.rows.values()))
    @rule(data=st.data(), status=st.sampled_from([Status.REACTIVATED, Status.PENDING]))
    def looked_at(self, data: st.DataObject, status: Status) -> None:
        ordinal = data.draw(st.sampled_from([ordinal for ordinal, row in self.rows.items() if row.status in WATCHED]))

        async def work() -> None:
            writer = Writer(self.folder / "journal.sqlite3")
            call, attempts = self.rows[ordinal].progress.call, self.rows[ordinal].progress.attempts
            await Recorder(writer, session=self.calls + 1, first_call=1).settle(
                (ordinal, Outcome(status, attempts, call))
            )
            await writer.close()

        asyncio.run(work())
        self.rows[ordinal].shown, self.rows[ordinal].open = status, False

    @rule()
    def check(self) -> None:
        assert {row.ordinal for row in open_rows(self.folder)} == {
            ordinal for ordinal, row in self.rows.items() if row.open
        }
        with JournalReader(self.folder) as journal:
            connection = journal.connection
            for ordinal, expected in ((number, row.progress) for number, row in self.rows.items()):
                progress = load_progress(connection, ordinal, target(guid(ordinal)), lost=self.carried)
                assert (progress.request_sequence, progress.attempts, progress.lost, progress.operation) == (
                    expected.request_sequence,
                    expected.attempts,
                    expected.lost,
                    expected.operation,
                )
            shown = dict(enumerate((row.outcome.status for row in result_rows(connection)), 1))
            assert shown == {ordinal: row.status for ordinal, row in self.rows.items()}
            assert count_rows(journal.result_groups()) == count_rows((row, 1) for row in result_rows(connection))
            assert read_chunks(journal, 2) == list(map(result_cells, result_rows(connection)))
            assert find_wrong_pages(journal, BY_OUTCOME) == []
            self.counted = counted = journal.count_calls(self.counted)
            calls, _ = journal.traffic(None)
            assert (counted.made - counted.unsent, counted.throttled) == (calls["sent"], calls["throttled"])
            watched = WatchSelection(journal, everything=True, restoring=False)
            assert watched.count() == sum(row.status in WATCHED for row in self.rows.values())
            for candidate, row in zip(candidates(connection, all_failed=True), self.rows.values(), strict=True):
                # What a retry does not take is not looked into.
                if taken := candidate.row:
                    assert taken.outcome_unknown is row.progress.lost
                    assert taken.request_id == self._carried_on(taken.number, row.progress.call)

    def _carried_on(self, number: int, last: Call | None) -> str:
        """Return the request id that a retry must use: the row's own, or one from before the run."""
        if last:
            return "" if last.answer.business else last.request_id
        return guid(9000 + number) if self.carried else ""


TestJournalMachine = JournalMachine.TestCase
