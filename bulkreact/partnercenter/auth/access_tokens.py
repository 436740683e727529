"""Access tokens of any source: a given one, or one that is fetched and renewed in time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from bulkreact.errors import CredentialsRefusedError, InputRefusedError
from bulkreact.partnercenter.auth.fetch_thread import FetchThread
from bulkreact.partnercenter.auth.token_claims import Claims, expiry_reason, is_token, read_claims, rejection_reason
from bulkreact.partnercenter.auth.token_errors import Grant
from bulkreact.partnercenter.auth.token_policy import CachedToken, retry_delay
from bulkreact.settings import Identity


class Credentials(Protocol):
    """A source of access tokens."""

    def is_fresh(self) -> bool:
        """Return whether the next call can be made without ``ensure_token``."""
        ...

    async def ensure_token(self) -> str:
        """Get a token for the next calls if needed; return why there is none, empty if there is one."""
        ...

    async def token(self) -> str:
        """Return the current access token without waiting; CredentialsRefusedError if there is none."""
        ...

    async def renew(self, since: float) -> None:
        """Replace a refused token, unless it was replaced since a monotonic time.

        If that fails, ``ensure_token`` returns why.
        """
        ...

    async def close(self) -> None:
        """Stop fetching; no more calls will be made."""
        ...


class StaticToken:
    """A given token; it cannot be renewed, so a refused one is simply tried once more.

    ``now`` is the wall clock, in seconds since 1970; ``resource`` is the required audience, empty to accept any.
    """

    def __init__(self, token: str, *, resource: str = "", tenant_id: str = "", now: Callable[[], float]) -> None:
        self._token = validate_token(token)
        self._now = now
        self.claims = read_claims(self._token)
        self._rejection = (
            rejection_reason(self.claims, resource=resource, tenant_id=tenant_id) if self.claims and resource else ""
        )

    def __repr__(self) -> str:
        return "StaticToken(…)"

    def is_fresh(self) -> bool:
        """Return whether the token's claims allow its use."""
        return not self._refusal()

    async def ensure_token(self) -> str:
        """Return why the token's claims forbid its use; a token without claims is used unchecked."""
        return self._refusal()

    async def token(self) -> str:
        """Return the token."""
        return self._token

    async def renew(self, since: float) -> None:
        """Do nothing: there is no other token."""

    async def close(self) -> None:
        """Do nothing: there is nothing to stop."""

    def _refusal(self) -> str:
        return self._rejection or (expiry_reason(self.claims, now=self._now()) if self.claims else "")


class Clock(Struct, frozen=True):
    """Time and random numbers for renewals.

    ``monotonic`` is the clock of the calls, ``elapsed`` goes on while the machine sleeps, as the life of a token does;
    ``sleep`` takes seconds, and ``chance`` returns a number in [0, 1).
    """

    monotonic: Callable[[], float]
    elapsed: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]


class RefreshingToken:
    """Tokens that are fetched, and renewed in the background before they expire; one fetch serves all waiters.

    ``fetch`` blocks; it gets the token to replace or "", and raises TokenServiceError. ``rotating``: it uses up a
    refresh token. A valid token is used even if its renewal fails.
    """

    def __init__(
        self, fetch: Callable[[str], Grant], identity: Identity, clock: Clock, *, rotating: bool = False
    ) -> None:
        self._thread = FetchThread(fetch, rotating=rotating)
        self._closed = False
        self._identity = identity
        self._clock = clock
        self._lock = asyncio.Lock()
        self._cached: CachedToken | None = None
        self._error: CredentialsRefusedError | None = None
        self._renewal: asyncio.Task[None] | None = None
        self.claims: Claims | None = None

    def __repr__(self) -> str:
        return "RefreshingToken(…)"

    def is_fresh(self) -> bool:
        """Return whether calls can use the token without a renewal."""
        return self._cached is not None and not self._error and self._cached.is_fresh(self._clock.elapsed())

    async def ensure_token(self) -> str:
        """Fetch a token if there is no valid one, and renew an old one in the background; return why there is none."""
        try:
            if not self._is_valid():
                await self._fetch_once()
        except CredentialsRefusedError as error:
            return str(error)
        if not self.is_fresh() and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew_in_background())
        return ""

    async def token(self) -> str:
        """Return the current token; it never waits, because the call is already in the journal."""
        if self._error:
            raise self._error
        if self._cached is None:
            raise CredentialsRefusedError("There is no access token.")
        return self._cached.token

    async def renew(self, since: float) -> None:
        """Replace a token that the service refused."""
        async with self._lock:
            if self._cached is None or self._cached.fetched_at > since or self._error:
                return
            refused = self._cached.token
            # From now on all calls wait for its successor.
            self._cached = self._cached.as_expired(self._clock.elapsed())
            with suppress(CredentialsRefusedError):
                self._cached = await self._fetch_with_retry(stale=refused)

    async def close(self) -> None:
        """Start no more fetches, and wait for a running one if its answer must be stored."""
        self._closed = True
        await self._thread.close()

    def _is_valid(self) -> bool:
        return self._cached is not None and not self._error and self._cached.is_valid(self._clock.elapsed())

    async def _fetch_once(self) -> None:
        async with self._lock:
            # Another task may have fetched a token, or failed to, while this one waited for the lock.
            if self._error:
                raise self._error
            if not self._is_valid():
                # MSAL judges by the system's clock: set back, it would take an expired token for a good one.
                self._cached = await self._fetch_with_retry(stale=self._cached.token if self._cached else "")

    async def _renew_in_background(self) -> None:
        async with self._lock:
            cached = self._cached
            if cached is None or self.is_fresh() or not self._is_valid():
                return
            try:
                self._cached = await self._fetch(cached.token)
            except CredentialsRefusedError as error:
                self._cached = cached.with_postponed_renewal(error, self._clock.elapsed())

    async def _fetch_with_retry(self, *, stale: str = "") -> CachedToken:
        """Fetch a token, repeatedly while failures are transient; every waiter gets the last error."""
        failures = 0
        while True:
            try:
                return await self._fetch(stale)
            except CredentialsRefusedError as error:
                failures += 1
                wait = retry_delay(error, failures=failures, chance=self._clock.chance())
                if wait is None:
                    self._error = error
                    raise
            await self._clock.sleep(wait)

    async def _fetch(self, stale: str) -> CachedToken:
        if self._closed:
            raise CredentialsRefusedError("The run is over: no more tokens are fetched.")
        asked_at = self._clock.elapsed()
        grant = await self._thread.run(stale)
        self.claims = read_claims(grant.token)
        identity = self._identity
        if self.claims and (
            reason := rejection_reason(self.claims, resource=identity.resource, tenant_id=identity.tenant_id)
        ):
            raise CredentialsRefusedError(reason)
        return CachedToken.from_grant(grant, asked_at=asked_at, fetched_at=self._clock.monotonic())


def validate_token(token: str) -> str:
    """Return a token that fits in a header, without spaces around it; InputRefusedError, which does not quote it."""
    bare = token.strip()
    if not is_token(bare):
        raise InputRefusedError(
            "BULKREACT_ACCESS_TOKEN is not a token (it is empty, or has spaces or unusual characters in it). "
            "Set it to the bare access token, without 'Bearer'."
        )
    return bare
