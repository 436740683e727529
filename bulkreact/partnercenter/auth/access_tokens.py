"""Access tokens behind one coroutine; whoever asks does not know where they come from."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from bulkreact.errors import CredentialsRefusedError, InputRefusedError
from bulkreact.partnercenter.auth.token_claims import Claims, expired, is_token, read_claims, rejection_reason
from bulkreact.partnercenter.auth.token_errors import ATTEMPTS, LONGEST_WAIT_SECONDS, Grant, TokenServiceError
from bulkreact.settings import Identity

RENEW_BEFORE_SECONDS = 300.0
_BACKOFF_SECONDS = 1.0
_BACKOFF_CEILING_SECONDS = 30.0
# When renewing failed although the token is still good.
_POSTPONED_SECONDS = 30.0
# The line has its own time-outs, but they begin anew with every byte.
_LONGEST_FETCH_SECONDS = 90.0
# For a fetch that is given up all the same.
_STORING_SECONDS = 2.0


class Credentials(Protocol):
    """A source of access tokens."""

    def is_fresh(self) -> bool:
        """Tell whether the next call needs not ask ``ready`` before it."""
        ...

    async def ensure_token(self) -> str:
        """Make sure that there is a token for the next calls; return why there is none, empty when there is."""
        ...

    async def token(self) -> str:
        """Return the access token at hand, without waiting for anything; CredentialsRefusedError when there is none."""
        ...

    async def renew(self, since: float) -> None:
        """Fetch a fresh token after one was refused, unless that has happened since a monotonic moment.

        When there is none to be had, ``ready`` says why.
        """
        ...

    async def close(self) -> None:
        """Let go of what is under way, when no more calls will be made."""
        ...


class StaticToken:
    """A token that somebody else fetched; it cannot be renewed, so a refused one is simply tried once more.

    ``now`` is the wall clock, in seconds since 1970; ``resource`` is what the token must be for.
    """

    def __init__(self, token: str, *, resource: str = "", tenant_id: str = "", now: Callable[[], float]) -> None:
        self._token = checked_token(token)
        self._now = now
        self.claims = read_claims(self._token)
        self._objection = (
            rejection_reason(self.claims, resource=resource, tenant_id=tenant_id) if self.claims and resource else ""
        )

    def __repr__(self) -> str:
        return "ReadyToken(…)"

    def is_fresh(self) -> bool:
        """Tell whether nothing speaks against the token."""
        return not self._refusal()

    async def ensure_token(self) -> str:
        """Return what speaks against the token by its own claims; one that has none is used unchecked."""
        return self._refusal()

    async def token(self) -> str:
        """Return the token."""
        return self._token

    async def renew(self, since: float) -> None:
        """Do nothing: there is no other token to be had."""

    async def close(self) -> None:
        """Do nothing: nothing is ever under way."""

    def _refusal(self) -> str:
        return self._objection or (expired(self.claims, now=self._now()) if self.claims else "")


@dataclass(frozen=True, slots=True)
class Clock:
    """The time and the chance that renewing needs: monotonic seconds, a pause in seconds, and a draw from [0, 1)."""

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


@dataclass(frozen=True, slots=True)
class CachedToken:
    """A token; monotonic moments."""

    token: str
    fetched_at: float
    renew_at: float
    expires_at: float


class RefreshingToken:
    """Tokens that are fetched, and fetched again five minutes before they expire: one fetch for all who ask.

    ``fetch`` blocks, so it runs in a thread, which nobody waits for when the program is to stop at once; it is told
    the token that is to be replaced, if there is one, and raises TokenServiceError. With ``rotating`` each fetch uses
    up something that it replaces, so that none should be given up. A token is kept while it lives, whatever becomes
    of the attempts to renew it.
    """

    def __init__(
        self, fetch: Callable[[str], Grant], identity: Identity, clock: Clock, *, rotating: bool = False
    ) -> None:
        self._fetch = fetch
        self._rotating = rotating
        self._under_way: asyncio.Future[Grant] | None = None
        self._closed = False
        self._identity = identity
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: CachedToken | None = None
        self._trouble: CredentialsRefusedError | None = None
        self._renewal: asyncio.Task[None] | None = None
        self.claims: Claims | None = None

    def __repr__(self) -> str:
        return "RenewedToken(…)"

    def is_fresh(self) -> bool:
        """Tell whether calls can be made without asking whether the token is ready."""
        return self._held is not None and not self._trouble and self._clock.monotonic() < self._held.renew_at

    async def ensure_token(self) -> str:
        """Fetch a token if there is none that lives, and see to it that it is renewed; return why there is none."""
        try:
            if not self._lives():
                await self._fetched()
        except CredentialsRefusedError as error:
            return str(error)
        if not self.is_fresh() and (self._renewal is None or self._renewal.done()):
            # Nobody waits for it: meanwhile the old one is good.
            self._renewal = asyncio.create_task(self._renewed())
        return ""

    async def token(self) -> str:
        """Return the token that is at hand; nothing is asked of anybody, as the call has been written down already."""
        if self._trouble:
            raise self._trouble
        if self._held is None:
            raise CredentialsRefusedError("There is no access token.")
        return self._held.token

    async def renew(self, since: float) -> None:
        """Fetch another token in the place of one that was refused."""
        async with self._lock:
            if self._held is None or self._held.fetched_at > since or self._trouble:
                return
            refused, now = self._held.token, self._clock.monotonic()
            # From now on all others wait for its successor.
            self._held = replace(self._held, renew_at=now, expires_at=now)
            with suppress(CredentialsRefusedError):
                self._held = await self._fetch_with_retry(stale=refused)

    async def close(self) -> None:
        """Begin no more fetches, and wait for one under way if its answer must be stored."""
        self._closed = True
        if self._rotating and self._under_way and not self._under_way.done():
            await asyncio.wait({self._under_way})

    def _lives(self) -> bool:
        return self._held is not None and not self._trouble and self._clock.monotonic() < self._held.expires_at

    async def _fetched(self) -> None:
        async with self._lock:
            # Somebody else may have done it while this one waited, or failed at it.
            if self._trouble:
                raise self._trouble
            if not self._lives():
                self._held = await self._fetch_with_retry()

    async def _renewed(self) -> None:
        async with self._lock:
            held = self._held
            if held is None or self.is_fresh() or not self._lives():
                return
            try:
                self._held = await self._attempt(held.token)
            except CredentialsRefusedError as error:
                named = error.retry_after if isinstance(error, TokenServiceError) else None
                postponed = self._clock.monotonic() + max(_POSTPONED_SECONDS, named or 0.0)
                self._held = replace(held, renew_at=min(held.expires_at, postponed))

    async def _fetch_with_retry(self, *, stale: str = "") -> CachedToken:
        """Fetch a token, again and again while the trouble may pass; what does not pass is everybody's."""
        failures = 0
        while True:
            try:
                return await self._attempt(stale)
            except CredentialsRefusedError as error:
                failures += 1
                passing = isinstance(error, TokenServiceError) and error.passing
                named = error.retry_after if isinstance(error, TokenServiceError) else None
                wait = max(_backoff(failures, self._clock.chance()), named or 0.0)
                if not passing or failures == ATTEMPTS or wait > LONGEST_WAIT_SECONDS:
                    self._trouble = error
                    raise
            await self._clock.sleep(wait)

    async def _attempt(self, stale: str) -> CachedToken:
        if self._closed:
            raise CredentialsRefusedError("The run is over: no more tokens are fetched.")
        began = self._clock.monotonic()
        grant = await self._in_thread(stale)
        self.claims = read_claims(grant.token)
        identity = self._identity
        words = (
            rejection_reason(self.claims, resource=identity.resource, tenant_id=identity.tenant_id)
            if self.claims
            else ""
        )
        if words:
            raise CredentialsRefusedError(words)
        # A token that lives shorter than usual is renewed after half its life.
        margin = min(RENEW_BEFORE_SECONDS, grant.lifetime / 2)
        return CachedToken(
            grant.token, self._clock.monotonic(), began + grant.lifetime - margin, began + grant.lifetime
        )

    async def _in_thread(self, stale: str) -> Grant:
        """Call what blocks in a thread that does not keep the program from ending, as those of asyncio's pool would."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Grant] = loop.create_future()
        self._under_way = future

        def settle(grant: Grant | None, error: BaseException | None) -> None:
            if future.done():
                return
            if grant:
                future.set_result(grant)
            elif error:
                future.set_exception(error)

        def work() -> None:
            grant, error = None, None
            try:
                grant = self._fetch(stale)
            except BaseException as trouble:  # noqa: BLE001 - it is raised where the fetch is awaited
                error = trouble
            # The loop is closed when nobody waits any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, grant, error)

        thread = threading.Thread(target=work, name="token", daemon=True)
        thread.start()
        try:
            done, _ = await asyncio.wait({future}, timeout=_LONGEST_FETCH_SECONDS)
        except asyncio.CancelledError:
            if self._rotating:
                # The program ends at once. What has been answered already must be stored.
                with suppress(KeyboardInterrupt, SystemExit):
                    thread.join(_STORING_SECONDS)
            raise
        if not done:
            raise TokenServiceError(
                f"The token service has not finished its answer in {_LONGEST_FETCH_SECONDS:.0f} s. Try again later.",
                passing=False,
            )
        return future.result()


def checked_token(token: str) -> str:
    """Return a token that can travel in a header; InputRefusedError, which does not quote it, for any other."""
    bare = token.strip()
    if not is_token(bare):
        raise InputRefusedError(
            "BULKREACT_ACCESS_TOKEN is not a token (it is empty, or has spaces or unusual characters in it). "
            "Set it to the bare access token, without 'Bearer'."
        )
    return bare


def _backoff(failures: int, chance: float) -> float:
    return chance * min(_BACKOFF_CEILING_SECONDS, _BACKOFF_SECONDS * 2.0 ** (failures - 1))
