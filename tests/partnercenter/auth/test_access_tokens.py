"""One token for all calls: fetched once, renewed in time, used while it is valid."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from bulkreact.errors import CredentialsRefusedError
from bulkreact.partnercenter.auth.access_tokens import Clock, RefreshingToken
from bulkreact.partnercenter.auth.token_errors import Grant, TokenServiceError
from bulkreact.partnercenter.auth.token_policy import ATTEMPTS
from bulkreact.settings import Identity
from tests.support import virtual_time

IDENTITY = Identity("https://login.example/t", "", "", "https://api.example/.default", "https://api.example")
DOWN = TokenServiceError("down", transient=True)
GONE = TokenServiceError("the secret has expired", transient=False)


@dataclass
class Service:
    """Returns numbered tokens, or raises the failures; ``fetches`` are the times and the tokens to be replaced.

    ``asleep`` are the seconds for which the machine was suspended, which its monotonic clock does not count.
    """

    lifetime: float = 3600
    failures: list[Exception] = field(default_factory=list)
    fetches: list[tuple[float, str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    time: float = 0.0
    asleep: float = 0.0
    before: Callable[[], object] = lambda: None

    def fetch(self, stale: str) -> Grant:
        self.before()
        self.fetches.append((self.time, stale))
        if self.failures:
            raise self.failures.pop(0)
        return Grant(f"token {len(self.fetches)}", self.lifetime)

    def monotonic(self) -> float:
        return self.time

    def elapsed(self) -> float:
        return self.time + self.asleep

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    async def fetched(self, number: int) -> None:
        """Wait until no task runs in the background; so many fetches have then been made."""
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        assert len(self.fetches) == number

    @property
    def tokens(self) -> RefreshingToken:
        return RefreshingToken(self.fetch, IDENTITY, Clock(self.monotonic, self.elapsed, self.sleep, lambda: 1.0))


async def test_all_who_ask_at_once_cause_one_fetch() -> None:
    service = Service()
    tokens = service.tokens
    assert set(await asyncio.gather(*(tokens.ensure_token() for _ in range(64)))) == {""}
    assert {await tokens.token() for _ in range(64)} == {"token 1"}
    assert len(service.fetches) == 1


async def test_the_event_loop_runs_while_the_token_service_is_slow() -> None:
    release = threading.Event()
    service = Service(before=lambda: release.wait(60))
    asking = asyncio.ensure_future(service.tokens.ensure_token())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not asking.done()
    release.set()
    assert await asking == ""


@pytest.mark.parametrize(("lifetime", "renewed_at"), [(3600, 3300), (5400, 5100), (600, 300), (60, 30), (2, 1)])
async def test_a_token_is_renewed_five_minutes_before_it_expires_or_after_half_of_a_short_life(
    lifetime: float, renewed_at: float
) -> None:
    service = Service(lifetime)
    tokens = service.tokens
    await tokens.ensure_token()
    service.time = renewed_at - 0.1
    await tokens.ensure_token()
    assert len(service.fetches) == 1
    service.time = renewed_at
    assert not tokens.is_fresh()
    await tokens.ensure_token()
    await service.fetched(2)
    assert tokens.is_fresh()
    assert await tokens.token() == "token 2"


async def test_no_call_waits_for_a_renewal_while_the_old_token_is_valid() -> None:
    release = threading.Event()
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.before = lambda: release.wait(60)
    service.time = 3400
    for _ in range(16):
        assert await tokens.ensure_token() == ""
        assert await tokens.token() == "token 1"
    release.set()
    await service.fetched(2)
    assert await tokens.token() == "token 2"
    assert len(service.fetches) == 2


@pytest.mark.parametrize("failure", [DOWN, GONE])
async def test_a_valid_token_is_used_although_its_renewal_failed(failure: TokenServiceError) -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.time, service.failures = 3400, [failure]
    assert await tokens.ensure_token() == ""
    await service.fetched(2)
    assert await tokens.token() == "token 1"
    # It is not asked for again at every call, but before long.
    assert tokens.is_fresh()
    service.time += 30
    assert not tokens.is_fresh()
    await tokens.ensure_token()
    await service.fetched(3)
    assert await tokens.token() == "token 3"


async def test_transient_failures_are_repeated_with_growing_pauses() -> None:
    service = Service(failures=[DOWN, DOWN, DOWN])
    assert await service.tokens.ensure_token() == ""
    assert service.waits == [1, 2, 4]


async def test_the_service_says_how_long_to_wait() -> None:
    service = Service(failures=[TokenServiceError("busy", transient=True, retry_after=17)])
    assert await service.tokens.ensure_token() == ""
    assert service.waits == [17]


@pytest.mark.parametrize(
    ("failures", "fetches"),
    [([DOWN] * 9, ATTEMPTS), ([GONE], 1), ([TokenServiceError("busy", transient=True, retry_after=3600)], 1)],
)
async def test_a_permanent_failure_is_reported(failures: list[Exception], fetches: int) -> None:
    message = str(failures[0])
    service = Service(failures=failures)
    assert await service.tokens.ensure_token() == message
    assert len(service.fetches) == fetches


async def test_a_failure_is_met_once_for_all_waiters() -> None:
    service = Service(failures=[DOWN] * 99)
    tokens = service.tokens
    assert set(await asyncio.gather(*(tokens.ensure_token() for _ in range(16)))) == {"down"}
    assert len(service.fetches) == ATTEMPTS


async def test_a_failed_renewal_is_not_repeated_by_every_call() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.failures = [DOWN] * 99
    await asyncio.gather(*(tokens.renew(10) for _ in range(16)))
    assert len(service.fetches) == 1 + ATTEMPTS


async def test_an_expired_token_is_not_used() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.time, service.failures = 3600, [GONE, GONE]
    assert not tokens.is_fresh()
    assert await tokens.ensure_token() == str(GONE)
    with pytest.raises(CredentialsRefusedError):
        await tokens.token()


async def test_a_token_that_expired_while_the_machine_slept_is_not_used() -> None:
    service = Service(lifetime=3600)
    tokens = service.tokens
    await tokens.ensure_token()
    service.asleep = 3600
    assert not tokens.is_fresh()
    assert await tokens.ensure_token() == ""
    assert await tokens.token() == "token 2"
    # MSAL would take the old one for good if the clock was set back.
    assert service.fetches == [(0, ""), (0, "token 1")]


async def test_a_token_that_is_refused_after_a_sleep_is_replaced_once() -> None:
    service = Service(lifetime=100_000, asleep=50_000)
    tokens = service.tokens
    await tokens.ensure_token()
    service.time = 10
    await tokens.renew(since=5)
    await tokens.renew(since=9)
    assert [stale for _, stale in service.fetches] == ["", "token 1"]


async def test_a_refused_token_is_replaced_once_for_all_who_were_refused() -> None:
    service = Service()
    tokens = service.tokens
    service.time = 5
    await tokens.ensure_token()
    service.time = 20
    await asyncio.gather(*(tokens.renew(10 + number / 10) for number in range(16)))
    assert service.fetches == [(5, ""), (20, "token 1")]
    assert await tokens.token() == "token 2"
    await tokens.renew(21)
    assert service.fetches[-1] == (20, "token 2")


async def test_a_refused_token_that_cannot_be_replaced_is_used_no_more() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.failures = [GONE]
    await tokens.renew(10)
    assert await tokens.ensure_token() == str(GONE)
    with pytest.raises(CredentialsRefusedError):
        await tokens.token()


def test_a_token_that_was_fetched_in_one_loop_serves_in_another() -> None:
    service = Service()
    tokens = service.tokens

    async def renew() -> None:
        assert await tokens.ensure_token() == ""
        await service.fetched(2)

    assert asyncio.run(tokens.ensure_token()) == ""
    assert virtual_time.run(tokens.token()) == "token 1"
    service.time = 3500
    asyncio.run(renew())
    assert len(service.fetches) == 2


async def test_no_call_uses_a_refused_token_while_it_is_replaced() -> None:
    release = threading.Event()
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.before = lambda: release.wait(60)
    renewing = asyncio.ensure_future(tokens.renew(10))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(tokens.ensure_token())
    await asyncio.sleep(0)
    assert not tokens.is_fresh()
    assert not waiting.done()
    release.set()
    await renewing
    assert await waiting == ""
    assert await tokens.token() == "token 2"
    assert len(service.fetches) == 2


async def test_a_call_that_is_about_to_leave_waits_for_no_token() -> None:
    service = Service()
    tokens = service.tokens
    with pytest.raises(CredentialsRefusedError):
        await tokens.token()
    await tokens.ensure_token()
    service.time = 3700
    assert await tokens.token() == "token 1"
    assert len(service.fetches) == 1


async def test_tokens_are_not_shown_by_accident() -> None:
    tokens = Service().tokens
    await tokens.ensure_token()
    assert "token 1" not in repr(tokens)
    assert "secret" not in repr(Grant("secret", 1))


async def test_an_abandoned_fetch_may_still_store_what_was_answered() -> None:
    answered, stored = threading.Event(), threading.Event()

    def fetch(_stale: str) -> Grant:
        answered.wait(60)
        stored.set()
        return Grant("token", 3600)

    tokens = RefreshingToken(fetch, IDENTITY, Service().tokens._clock, rotating=True)
    asking = asyncio.ensure_future(tokens.ensure_token())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(asking.cancel)
    threading.Timer(0.1, answered.set).start()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert stored.is_set()


def test_a_fetch_that_hangs_does_not_keep_the_loop_from_ending() -> None:
    release = threading.Event()
    service = Service(before=lambda: release.wait(60))

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(service.tokens.ensure_token(), 0.01)

    asyncio.run(give_up())
    assert service.fetches == []
    release.set()


@pytest.mark.parametrize("rotating", [True, False])
async def test_closing_waits_for_a_fetch_that_must_be_stored_and_for_no_other(rotating: bool) -> None:
    release = threading.Event()
    service = Service(before=lambda: release.wait(60))
    tokens = RefreshingToken(service.fetch, IDENTITY, service.tokens._clock, rotating=rotating)
    fetching = asyncio.ensure_future(tokens.ensure_token())
    await asyncio.sleep(0)
    leaving = asyncio.ensure_future(tokens.close())
    for _ in range(5):
        await asyncio.sleep(0)
    assert leaving.done() is not rotating
    release.set()
    await leaving
    await fetching
    assert len(service.fetches) == 1


async def test_closing_starts_no_other_fetch() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    await tokens.close()
    service.time = 3400
    assert await tokens.ensure_token() == ""
    await service.fetched(1)
    service.time = 3700
    assert "no more tokens" in await tokens.ensure_token()
    assert len(service.fetches) == 1


async def test_a_renewal_knows_the_token_that_it_replaces() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.time = 3400
    await tokens.ensure_token()
    await service.fetched(2)
    assert service.fetches == [(0, ""), (3400, "token 1")]


async def test_a_renewal_is_not_tried_again_before_the_service_wants_it() -> None:
    service = Service()
    tokens = service.tokens
    await tokens.ensure_token()
    service.time, service.failures = 3300, [TokenServiceError("busy", transient=True, retry_after=120)]
    await tokens.ensure_token()
    await service.fetched(2)
    service.time = 3419
    assert tokens.is_fresh()
    service.time = 3420
    assert not tokens.is_fresh()
