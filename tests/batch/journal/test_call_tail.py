"""Calls are counted while they are made: each once, also those that are answered after later ones."""

from pathlib import Path

from bulkreact.batch.journal.call_tail import CallCounts
from bulkreact.batch.journal.journal import Journal
from bulkreact.batch.journal.reading import JournalReader
from bulkreact.batch.journal.recorder import Recorder
from bulkreact.batch.journal.writer import Writer
from bulkreact.models import Answer, Call, Operation
from bulkreact.partnercenter.verdicts import Throttled
from tests.batch.journal.test_journal import make, valid
from tests.support.ids import AT, guid

THROTTLED = Throttled(Answer(429, "http-429", "", business=False), 1.0)


async def test_answers_that_come_late_are_counted_when_they_come(tmp_path: Path) -> None:
    make(tmp_path, [valid(2), valid(3)])
    with Journal(tmp_path) as journal:
        session = journal.begin_session(command="run", version="1", configured_per_minute=None, now=AT)
    writer, counts = Writer(tmp_path / "journal.sqlite3"), CallCounts()
    recorder, seen = Recorder(writer, session=session, first_call=1), []

    def look() -> None:
        nonlocal counts
        with JournalReader(tmp_path) as reader:
            counts = reader.count_calls(counts)
        seen.append((counts.made, counts.retried, counts.throttled))

    async def call(ordinal: int) -> int:
        operation = Operation.REACTIVATE_ENTITLEMENT
        return await recorder.record_call(
            ordinal, operation, request_id=guid(ordinal), correlation_id=guid(9), started_at=AT
        )

    async def answer(number: int) -> None:
        await recorder.record_answer(Call(number, guid(1), guid(9), AT, AT, THROTTLED.answer), THROTTLED, settled=[])

    first, second = await call(1), await call(2)
    look()
    await answer(second)
    look()
    third = await call(2)
    await answer(first)
    look()
    await answer(third)
    look()
    await writer.close()
    assert seen == [(2, 0, 0), (2, 0, 1), (3, 1, 2), (3, 1, 3)]
