"""Records a session in the journal: calls before they are sent, answers and outcomes as they arrive."""

from collections.abc import Iterable
from itertools import count

from bulkreact.batch.environment import OutageRecord
from bulkreact.batch.journal import schema
from bulkreact.batch.journal.checksums import with_checksum
from bulkreact.batch.journal.writer import OnDurable, Statement, Writer
from bulkreact.models import Call, Operation, Outcome, Target
from bulkreact.partnercenter.verdicts import Accepted, Transient, Verdict, stored_name


class Recorder:
    """Appends the events of one session; each method except ``record_answer_later`` and ``record_outage`` returns when they are durable."""

    def __init__(self, writer: Writer, *, session: int, first_call: int) -> None:
        self._writer = writer
        self._session = session
        self._call_ids = count(first_call)
        self._customers_indexed = False

    async def record_call(
        self, ordinal: int, operation: Operation, *, request_id: str, correlation_id: str, started_at: str
    ) -> int:
        """Record a call that is about to be sent and return its id."""
        call = next(self._call_ids)
        values = (call, self._session, ordinal, str(operation), request_id, correlation_id, started_at)
        await self._writer.commit((schema.INSERT_CALL, with_checksum(values)))
        return call

    async def record_answer(self, call: Call, verdict: Verdict, *, settled: Iterable[tuple[int, Outcome]] = ()) -> None:
        """Record an answer and, in the same transaction, the outcomes of the rows that it settles."""
        await self._writer.commit(*self._answer(call, verdict, settled))

    def record_answer_later(
        self, call: Call, verdict: Verdict, *, settled: Iterable[tuple[int, Outcome]], on_durable: OnDurable
    ) -> None:
        """Record an answer without waiting: it is durable before any later call; ``on_durable`` is called then."""
        self._writer.submit(*self._answer(call, verdict, settled), on_durable=on_durable)

    def record_outage(self, outage: OutageRecord) -> None:
        """Record the state of an outage, instead of an earlier one, without waiting."""
        values = self._session, outage.since, outage.ended_at, outage.next_probe_at, outage.probes, outage.cause
        self._writer.submit((schema.SAVE_OUTAGE, with_checksum(values)))

    async def flush(self) -> None:
        """Wait until all events are durable."""
        await self._writer.wait_until_durable()

    def _answer(self, call: Call, verdict: Verdict, settled: Iterable[tuple[int, Outcome]]) -> list[Statement]:
        answer = verdict.answer
        sent, lost = (verdict.sent, verdict.lost) if isinstance(verdict, Transient) else (True, False)
        values = (
            call.id,
            call.finished_at,
            _stored_verdict(verdict),
            answer.http_status,
            answer.code,
            answer.description,
            int(answer.business),
            int(sent),
            int(lost),
            verdict.location if isinstance(verdict, Accepted) else "",
        )
        outcomes = [self._outcome(ordinal, outcome) for ordinal, outcome in settled]
        return [(schema.INSERT_ANSWER, with_checksum(values)), *outcomes]

    async def settle(self, *settled: tuple[int, Outcome]) -> None:
        """Record outcomes of rows, by their ordinals."""
        await self._writer.commit(*(self._outcome(ordinal, outcome) for ordinal, outcome in settled))

    async def settle_unsent(self, customer_id: str | None, outcome: Outcome) -> int:
        """Give every unsent row of a customer (None: of all customers) the same outcome; return their number."""
        sql = schema.SETTLE_UNSENT
        if customer_id is not None:
            sql = schema.SETTLE_UNSENT_OF_CUSTOMER
            if not self._customers_indexed:
                # Most runs refuse no customer: only those that do pay for the index, once.
                await self._writer.commit((schema.INDEX_CUSTOMERS, ()))
                self._customers_indexed = True
        return await self._writer.commit((sql, self._unsent(outcome, customer=customer_id)))

    async def settle_children(self, *settled: tuple[Target, Outcome]) -> int:
        """Give the unsent children of subscriptions an outcome; return their number."""
        return await self._writer.commit(
            *(
                (
                    schema.SETTLE_UNSENT_BELOW,
                    self._unsent(outcome, customer=above.customer_id, subscription=above.subscription_id),
                )
                for above, outcome in settled
            )
        )

    def _unsent(self, outcome: Outcome, **scope: str | None) -> dict[str, str | int | None]:
        return {
            "session": self._session,
            "status": outcome.status.value,
            "code": outcome.code,
            "description": outcome.description,
            "reopen": int(outcome.reopen),
            **scope,
        }

    def _outcome(self, ordinal: int, outcome: Outcome) -> Statement:
        # SQLite binds plain strings faster than enumeration members.
        values = (
            self._session,
            ordinal,
            str(outcome.status),
            outcome.attempts,
            outcome.call.id if outcome.call else None,
            outcome.code,
            outcome.description,
            int(outcome.reopen),
            str(outcome.auto_renew),
        )
        return schema.INSERT_OUTCOME, with_checksum(values)


def _stored_verdict(verdict: Verdict) -> str:
    """Return the stored name of a verdict; one that is retried only once does not count as transient."""
    once = isinstance(verdict, Transient) and verdict.retry_once
    return f"{stored_name(type(verdict))}{'Once' if once else ''}"
