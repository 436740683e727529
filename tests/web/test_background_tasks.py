"""Tasks of a server: each ends before the server does, also one whose number another has by now."""

import asyncio

import pytest

from bulkreact.web.background_tasks import BackgroundTasks


async def test_all_tasks_of_a_number_end_when_they_are_closed() -> None:
    tasks, ended = BackgroundTasks(), list[str]()

    async def work(name: str, until: asyncio.Event) -> None:
        try:
            await until.wait()
        finally:
            ended.append(name)

    first, never = asyncio.Event(), asyncio.Event()
    tasks.begin(1, work("first", first))
    tasks.begin(1, work("second", never))
    tasks.begin(1, work("third", never))
    first.set()
    for _turn in range(5):
        await asyncio.sleep(0)
    assert (len(tasks), ended) == (2, ["first"])
    await tasks.close()
    assert ended == ["first", "second", "third"]
    assert 1 not in tasks


async def test_who_is_cancelled_while_tasks_end_is_cancelled() -> None:
    tasks, may_end = BackgroundTasks(), asyncio.Event()

    async def end_slowly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    tasks.begin(1, end_slowly())
    await asyncio.sleep(0)
    closing = asyncio.create_task(tasks.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    may_end.set()
    await tasks.close()
