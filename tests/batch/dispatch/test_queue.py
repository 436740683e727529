"""The order of calls: customers take turns, limits and pauses are respected, no item waits for ever."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.batch.dispatch import queue as queue_module
from bulkreact.batch.dispatch.queue import Queue
from bulkreact.batch.journal.pending_rows import PendingRow
from bulkreact.batch.progress import Effect, RowProgress, Sent, Unsent
from bulkreact.batch.row_source import CustomerStream
from bulkreact.models import Answer, Call, Target
from tests.support.virtual_time import now, run

_SENT = Sent(Call(1, "r", "c", "t", "t", Answer(503, "http-503", "", business=False)), 1, Effect.MAY_HAVE_ACTED)


class Rows:
    """A source of rows: each letter is a row of the customer with that name."""

    def __init__(self, letters: str) -> None:
        self.all = [
            PendingRow(number, number + 1, Target(letter, "s", str(number)), "", False, RowProgress(), number)
            for number, letter in enumerate(letters, 1)
        ]

    def streams(self) -> Iterator[CustomerStream]:
        yield from map(CustomerStream, dict.fromkeys(row.target.customer_id for row in self.all))

    def rows(self, stream: CustomerStream, after: int, limit: int) -> list[PendingRow]:
        rows = [row for row in self.all if row.target.customer_id == stream.customer_id and row.position > after]
        return rows[:limit]

    def items_with_calls(self, stream: CustomerStream, after: int) -> list[PendingRow]:
        return [row for row in self.rows(stream, after, 1000) if row.progress.call]


def _queue(letters: str, per_customer: int = 100) -> Queue[PendingRow]:
    return Queue(Rows(letters), per_customer=per_customer, clock=now)


async def _drain(queue: Queue[PendingRow], seconds: float = 0.0, workers: int = 1) -> list[tuple[str, float]]:
    taken: list[tuple[str, float]] = []

    async def work() -> None:
        while row := await queue.take():
            taken.append((row.target.customer_id, round(now(), 6)))
            await asyncio.sleep(seconds)
            queue.done(row)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return taken


def test_customers_take_turns_whatever_the_order_of_the_file() -> None:
    async def scenario() -> str:
        return "".join(name for name, _ in await _drain(_queue("aaaabbc")))

    assert run(scenario()) == "abcabaa"


def test_no_customer_has_more_calls_in_flight_than_allowed() -> None:
    async def scenario() -> Counter[float]:
        taken = await _drain(_queue("a" * 12, per_customer=3), seconds=1, workers=8)
        return Counter(time for _, time in taken)

    assert run(scenario()) == {0.0: 3, 1.0: 3, 2.0: 3, 3.0: 3}


def test_a_paused_customer_does_not_block_others_and_returns_after_the_pause() -> None:
    async def scenario() -> list[tuple[str, float]]:
        queue = _queue("aabb")
        row = queue.take_now()
        assert row
        queue.hold_customer("a", 60)
        queue.put_back(row)
        return await _drain(queue)

    taken = run(scenario())
    assert [time for name, time in taken if name == "b"] == [0.0, 0.0]
    assert all(time >= 60 for name, time in taken if name == "a")


def test_nothing_is_handed_out_while_all_are_paused() -> None:
    async def scenario() -> list[tuple[str, float]]:
        queue = _queue("abc")
        queue.hold_all(30)
        return await _drain(queue, workers=4)

    assert run(scenario()) == [("a", 30.0), ("b", 30.0), ("c", 30.0)]


def test_a_waiting_row_returns_when_it_is_due_and_blocks_no_other() -> None:
    async def scenario() -> list[tuple[str, float]]:
        queue = _queue("ab")
        row = await queue.take()
        assert row
        queue.wait(row, 5)
        return await _drain(queue, workers=2)

    assert run(scenario()) == [("b", 0.0), ("a", 5.0)]


def test_a_row_that_comes_back_goes_before_those_that_were_never_handed_out() -> None:
    async def scenario() -> list[int]:
        queue = _queue("aaa")
        first = queue.take_now()
        assert first
        queue.put_back(first)
        return [row.ordinal for row in (queue.take_now(), queue.take_now(), queue.take_now()) if row]

    assert run(scenario()) == [1, 2, 3]


def test_a_dropped_customer_leaves_only_rows_that_were_sent_before() -> None:
    async def scenario() -> tuple[list[PendingRow], list[tuple[str, float]]]:
        queue = _queue("aaab")
        begun = queue.take_now()
        assert begun
        begun.progress = RowProgress(stage=_SENT)
        queue.wait(begun, 50)
        return queue.drop("a"), await _drain(queue)

    begun, taken = run(scenario())
    assert [row.ordinal for row in begun] == [1]
    assert taken == [("b", 0.0)]


def test_rows_sent_by_an_earlier_process_are_not_dropped_with_the_unsent_ones() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        source = Rows("a" * 100 + "b" * 100)
        for row in source.all:
            row.progress = RowProgress(stage=_SENT if row.ordinal % 10 == 0 else Unsent())
        queue = Queue(source, per_customer=100, clock=now)
        first, second = queue.take_now(), queue.take_now()
        assert first
        assert second
        queue.put_back(first)
        queue.put_back(second)
        queue.drop_unsent("a")
        left = [row.ordinal for row in queue.drop("a")]
        return left, [row.ordinal for row in queue.drop_all()]

    assert run(scenario()) == (list(range(10, 101, 10)), list(range(110, 201, 10)))


def test_a_row_taken_before_its_customer_was_dropped_is_not_sent() -> None:
    async def scenario() -> tuple[bool, list[tuple[str, float]]]:
        queue = _queue("aab")
        row = queue.take_now()
        assert row
        queue.drop_unsent("a")
        sent = queue.may_send(row)
        queue.put_back(row)
        return sent, await _drain(queue)

    assert run(scenario()) == (False, [("b", 0.0)])


def test_closing_wakes_all_waiters() -> None:
    async def scenario() -> list[tuple[str, float]]:
        queue = _queue("a")
        row = queue.take_now()
        assert row
        asyncio.get_running_loop().call_later(7, queue.close)
        taken = await _drain(queue, workers=5)
        assert round(now(), 6) == 7
        return taken

    assert run(scenario()) == []


def test_memory_stays_flat_when_more_rows_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> tuple[int, int]:
        queue = _queue("abcdefgh" * 10)
        handed = 0
        while row := queue.take_now():
            row.progress = RowProgress(stage=_SENT)
            queue.wait(row, 10)
            handed += 1
        rest = await _drain(queue, workers=3)
        return handed, len(rest)

    monkeypatch.setattr(queue_module, "WAITING_ITEMS", 20)
    assert run(scenario()) == (20, 80)


@given(
    letters=st.text("abcde", min_size=1, max_size=60),
    workers=st.integers(1, 6),
    per_customer=st.integers(1, 3),
    moves=st.lists(st.sampled_from(["done", "wait", "hold", "hold all", "put back"]), max_size=80),
)
def test_every_row_is_handed_out_until_it_is_done_whatever_happens_to_it(
    letters: str, workers: int, per_customer: int, moves: list[str]
) -> None:
    async def scenario() -> Counter[int]:
        queue = _queue(letters, per_customer)
        script = iter(moves)
        done: Counter[int] = Counter()
        in_flight: Counter[str] = Counter()

        async def work() -> None:
            while row := await queue.take():
                in_flight[row.target.customer_id] += 1
                assert in_flight[row.target.customer_id] <= per_customer
                await asyncio.sleep(0.5)
                in_flight[row.target.customer_id] -= 1
                match next(script, "done"):
                    case "wait":
                        queue.wait(row, now() + 3)
                    case "hold":
                        queue.hold_customer(row.target.customer_id, now() + 9)
                        queue.wait(row, now() + 9)
                    case "hold all":
                        queue.hold_all(now() + 4)
                        queue.wait(row, now() + 4)
                    case "put back":
                        queue.put_back(row)
                    case _:
                        done[row.ordinal] += 1
                        queue.done(row)

        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
        return done

    assert run(scenario()) == dict.fromkeys(range(1, len(letters) + 1), 1)


def test_a_customer_that_is_dropped_while_it_is_ready_can_come_back_with_a_later_stream() -> None:
    async def scenario() -> list[int]:
        source = Rows("a" * 3 + "b")
        queue = Queue(source, per_customer=1, clock=now, active_customers=2)
        row = queue.take_now()
        assert row
        # The customer is ready again with its other rows when they are dropped.
        queue.done(row)
        queue.drop_unsent("a")
        late = PendingRow(9, 10, Target("a", "s", "9"), "", False, RowProgress(stage=_SENT), 9)
        queue.add(late)
        taken = []
        while item := queue.take_now():
            taken.append(item.ordinal)
            queue.done(item)
        assert queue.empty
        return taken

    assert run(scenario()) == [4, 9]
