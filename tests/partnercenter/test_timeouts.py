"""One time limit shared by all calls, in virtual time."""

import asyncio

import pytest

from bulkreact.partnercenter.timeouts import TimeLimit
from tests.support.virtual_time import now, pass_time, run


def test_every_block_ends_at_its_own_time_and_those_that_are_faster_are_left_alone() -> None:
    ended: dict[str, tuple[str, float]] = {}

    async def call(limit: TimeLimit, name: str, *, begins: float, takes: float) -> None:
        await asyncio.sleep(begins)
        try:
            with limit:
                await asyncio.sleep(takes)
            ended[name] = "answered", now()
        except TimeoutError:
            ended[name] = "timed out", now()

    async def work() -> None:
        limit = TimeLimit(5)
        async with asyncio.TaskGroup() as group:
            for name, begins, takes in (
                ("hangs", 0, 100),
                ("fast", 1, 1),
                ("hangs later", 2, 100),
                ("just in time", 3, 4.5),
                ("long after", 50, 4),
                ("hangs long after", 60, 100),
            ):
                group.create_task(call(limit, name, begins=begins, takes=takes))

    run(work())
    assert {name: (how, round(at, 3)) for name, (how, at) in ended.items()} == {
        "hangs": ("timed out", 5),
        "fast": ("answered", 2),
        "hangs later": ("timed out", 7),
        "just in time": ("answered", 7.5),
        "long after": ("answered", 54),
        "hangs long after": ("timed out", 65),
    }


def test_a_task_that_timed_out_continues_and_may_time_out_again() -> None:
    async def work() -> int:
        limit, times = TimeLimit(5), 0
        for _ in range(3):
            try:
                with limit:
                    await asyncio.sleep(100)
            except TimeoutError:
                times += 1
            await asyncio.sleep(1)
        return times

    assert run(work()) == 3


def test_a_task_that_was_fast_enough_may_take_its_time_afterwards() -> None:
    async def work() -> float:
        with TimeLimit(5):
            await asyncio.sleep(1)
        await asyncio.sleep(10)
        return round(now())

    assert run(work()) == 11


@pytest.mark.parametrize("after", [3, 5])
def test_a_cancellation_from_outside_is_not_turned_into_a_time_out(after: float) -> None:
    async def call() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task
        with TimeLimit(5):
            # At the fifth second both cancel it.
            loop.call_at(loop.time() + after, task.cancel)
            await asyncio.sleep(100)

    async def work() -> asyncio.Task[None]:
        task = asyncio.ensure_future(call())
        await asyncio.wait([task])
        return task

    assert run(work()).cancelled()


def test_an_error_that_comes_instead_of_an_answer_is_what_it_is() -> None:
    async def work() -> None:
        with TimeLimit(5):
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        run(work())


def test_a_time_in_which_the_process_did_not_run_does_not_count() -> None:
    async def work() -> tuple[str, float]:
        limit, answer = TimeLimit(60), asyncio.get_running_loop().create_future()
        # When the process goes on, the answer has arrived and the limit has passed.
        asyncio.get_running_loop().call_later(59, answer.set_result, "accepted")
        asyncio.get_running_loop().call_later(30, pass_time, 3600)
        with limit:
            return await answer, round(now())

    assert run(work()) == ("accepted", 3630)


def test_after_such_a_time_no_call_hangs_for_ever() -> None:
    async def work() -> float:
        asyncio.get_running_loop().call_later(30, pass_time, 3600)
        try:
            with TimeLimit(60):
                await asyncio.Event().wait()
        except TimeoutError:
            return round(now())
        raise AssertionError("it waited for nothing")

    assert run(work()) == 3631
