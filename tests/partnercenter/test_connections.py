"""Which answer belongs to which call: what came unasked, or names another call, is an answer to none."""

import asyncio
import contextlib
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from time import time

import pytest

from bulkreact.models import NoResponse, Operation, Reply, Request, Response
from bulkreact.partnercenter.auth.access_tokens import StaticToken
from bulkreact.partnercenter.client import Client, connect
from bulkreact.partnercenter.protocol import build_request
from bulkreact.partnercenter.sent_ids import SentIds
from bulkreact.redaction import Redactor
from bulkreact.settings import Cloud, Limits, Service
from tests.support.ids import guid, target
from tests.support.program import CANARY
from tests.support.raw_server import listening

Headers = dict[str, str]


@pytest.fixture(params=["asked", "read"], autouse=True)
def _unread_data(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system be asked for unread data, or have the event loop read it, as on Windows."""
    if request.param == "read":
        monkeypatch.delattr(select, "poll", raising=False)


def call(number: int, *, attempt: int = 0) -> Request:
    """Return a write whose ids have a number; another attempt has another correlation id."""
    ids = guid(100 + number), guid(200 + number + 50 * attempt)
    return build_request(
        Operation.REACTIVATE_ENTITLEMENT, target(guid(number)), request_id=ids[0], correlation_id=ids[1]
    )


def answer(status: int, headers: Headers | None = None, body: bytes = b"") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def named(number: int) -> Headers:
    return {"MS-RequestId": guid(100 + number)}


@dataclass
class RawService:
    """Answers each call by its number; ``connections`` are their writers, in the order in which they were opened."""

    answers: Callable[[int], bytes]
    connections: list[asyncio.StreamWriter] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=count)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        # A client that leaves something unread resets the connection.
        with contextlib.suppress(ConnectionError):
            while head := await reader.readline():
                while head.strip():
                    head = await reader.readline()
                writer.write(self.answers(next(self.numbers)))


@asynccontextmanager
async def connected(service: RawService) -> AsyncIterator[Client]:
    async with listening(service.talk) as base_url:
        address = Service(Cloud.GLOBAL, base_url, "v1", simulated=False)
        async with connect(address, Limits(timeout=30), StaticToken(CANARY, now=time), Redactor()) as client:
            yield client


async def replies(answers: list[bytes], *calls: Request) -> tuple[list[int | str], int]:
    """Return the status or code of each call, and how many connections they took."""
    service = RawService(answers.__getitem__)
    async with connected(service) as client:
        received = [summary(await client.send(each)) for each in calls]
    return received, len(service.connections)


def summary(reply: Reply) -> int | str:
    return reply.status if isinstance(reply, Response) else reply.code


@pytest.mark.parametrize("body", [b"", b'{"code": 800111}'])
async def test_an_answer_that_nobody_asked_for_is_not_the_next_calls(body: bytes) -> None:
    service = RawService(lambda _: answer(404, body=body))
    async with connected(service) as client:
        received = []
        for number in range(30):
            received.append(summary(await client.send(call(number))))
            service.connections[-1].write(answer(202))
    assert received == [404] * 30
    assert len(service.connections) == 30


async def test_a_connection_that_was_closed_meanwhile_is_not_used_for_the_next_call() -> None:
    service = RawService(lambda _: answer(202))
    async with connected(service) as client:
        received = []
        for number in range(3):
            received.append(summary(await client.send(call(number))))
            service.connections[-1].write_eof()
    assert (received, len(service.connections)) == ([202] * 3, 3)


async def test_a_connection_on_which_nothing_came_is_used_again() -> None:
    assert await replies([answer(202), answer(404), answer(202)], *map(call, range(3))) == ([202, 404, 202], 1)


async def test_a_server_that_answers_before_it_is_asked_was_sent_nothing() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(202))
        received.append(await reader.read())

    received: list[bytes] = []
    async with listening(talk) as base_url:
        address = Service(Cloud.GLOBAL, base_url, "v1", simulated=False)
        async with connect(address, Limits(timeout=30), StaticToken(CANARY, now=time), Redactor()) as client:
            reply = await client.send(call(1))
    assert isinstance(reply, NoResponse)
    assert (reply.sent, reply.code) == (False, "unreachable")
    assert received == [b""]


FIRST, SECOND = call(1), call(2)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"MS-RequestId": guid(101)}, "wrong-answer"),
        ({"ms-requestid": guid(101).upper()}, "wrong-answer"),
        ({"MS-CorrelationId": f"{{{guid(201)}}}"}, "wrong-answer"),
        ({"MS-RequestId": guid(102), "MS-CorrelationId": guid(201)}, "wrong-answer"),
        ({"MS-RequestId": f"{guid(102)}, {guid(101)}"}, "wrong-answer"),
        ({"MS-RequestId": guid(102), "MS-CorrelationId": guid(202)}, 202),
        ({"MS-RequestId": guid(999), "MS-CorrelationId": guid(998)}, 202),
        ({"MS-RequestId": "x", "MS-CorrelationId": ""}, 202),
        ({}, 202),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_an_answer_that_names_another_call_is_none(headers: Headers, expected: int | str, body: bytes) -> None:
    answers = [answer(404), answer(202, headers, body), answer(202, named(3))]
    received, connections = await replies(answers, FIRST, SECOND, call(3))
    assert received == [404, expected, 202]
    # What would come next on that connection is no better, nor on any that is used twice.
    assert connections == (2 if expected == "wrong-answer" else 1)


async def test_an_answer_to_an_earlier_attempt_under_the_same_request_id_is_one() -> None:
    replayed = answer(202, {"MS-RequestId": guid(101), "MS-CorrelationId": guid(201)})
    assert (await replies([answer(503), replayed], FIRST, call(1, attempt=1)))[0][1] == 202


async def test_a_success_without_a_name_is_none_on_a_used_connection_of_a_service_that_names_its_calls() -> None:
    answers = [answer(404, named(0)), answer(429), answer(202), answer(202), answer(202), answer(202, named(5))]
    received, connections = await replies(answers, *map(call, range(6)))
    assert received == [404, 429, "wrong-answer", 202, 202, 202]
    # The first three calls used one connection; since then each has its own.
    assert connections == 4


async def test_answers_that_are_swapped_between_two_calls_are_none() -> None:
    both = asyncio.Event()
    others = {guid(1): guid(102), guid(2): guid(101)}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split("/")[7]
        waiting.append(path)
        if len(waiting) == 2:
            both.set()
        await both.wait()
        writer.write(answer(202, {"MS-RequestId": others[path]}))

    waiting: list[str] = []
    async with listening(talk) as base_url:
        address = Service(Cloud.GLOBAL, base_url, "v1", simulated=False)
        async with connect(address, Limits(timeout=30), StaticToken(CANARY, now=time), Redactor()) as client:
            received = await asyncio.gather(client.send(FIRST), client.send(SECOND))
    assert [summary(reply) for reply in received] == ["wrong-answer"] * 2
    assert {reply.sent for reply in received if isinstance(reply, NoResponse)} == {True}


def test_ids_in_flight_are_never_forgotten_and_answered_ones_only_after_many_others() -> None:
    sent_ids = SentIds(remembered=20)
    sent_ids.begin(FIRST)
    sent_ids.begin(SECOND)
    sent_ids.end(SECOND)
    for number in range(3, 50):
        sent_ids.begin(call(number))
        sent_ids.end(call(number))
    assert sent_ids.name_another([guid(101)], call(50))
    assert sent_ids.name_another([guid(249)], call(50))
    assert sent_ids.name_another([guid(140)], call(50))
    assert not sent_ids.name_another([guid(102)], call(50))
