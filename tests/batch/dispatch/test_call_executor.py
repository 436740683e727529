"""Judging replies: a long body is read beside the event loop, a short one at once."""

import asyncio
import threading

import pytest

from bulkreact.batch.dispatch import call_executor
from bulkreact.batch.dispatch.call_executor import judge_reply
from bulkreact.models import Answer, NoResponse, Reply, Response
from bulkreact.partnercenter.verdicts import Refused, Verdict

VERDICT = Refused(Answer(400, "", "", business=True))
LONG = Response(200, "", {}, b"x" * (1 << 17))


async def test_other_calls_go_on_while_a_long_body_is_read() -> None:
    loop_went_on, ran_beside = threading.Event(), []

    def judge() -> Verdict:
        ran_beside.append(loop_went_on.wait(60))
        return VERDICT

    async def other_call() -> None:
        loop_went_on.set()

    verdict, _ = await asyncio.gather(judge_reply(LONG, judge), other_call())
    assert verdict is VERDICT
    assert ran_beside == [True]


async def test_long_bodies_are_read_one_at_a_time() -> None:
    alone = []

    def judge() -> Verdict:
        alone.append(call_executor.reading_lock.locked())
        return VERDICT

    await asyncio.gather(*(judge_reply(LONG, judge) for _ in range(5)))
    assert alone == [True] * 5


@pytest.mark.parametrize(
    "reply", [Response(200, "", {}, b"x"), NoResponse(sent=True, code="timed-out", description="x")]
)
async def test_a_short_body_is_read_at_once(reply: Reply) -> None:
    threads: list[threading.Thread] = []

    def judge() -> Verdict:
        threads.append(threading.current_thread())
        return VERDICT

    assert await judge_reply(reply, judge) is VERDICT
    assert threads == [threading.current_thread()]
