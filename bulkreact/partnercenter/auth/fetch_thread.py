"""Runs a blocking token fetch in a separate thread."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from bulkreact.partnercenter.auth.token_errors import Grant, TokenServiceError

# requests' read timeout restarts with every byte, so cap the whole fetch.
_LONGEST_FETCH_SECONDS = 90.0
# How long a cancelled fetch may still take to store its answer.
_STORING_SECONDS = 2.0


class FetchThread:
    """Runs ``fetch`` in a daemon thread: unlike asyncio's pool, it does not keep the program from exiting.

    With ``rotating`` each fetch uses up the refresh token, so its answer must be stored even if nothing waits for it.
    """

    def __init__(self, fetch: Callable[[str], Grant], *, rotating: bool) -> None:
        self._fetch = fetch
        self._rotating = rotating
        self._latest: Future[Grant] | None = None

    async def run(self, stale: str) -> Grant:
        """Fetch a token; ``stale`` is the one to replace, empty for none. Raises what ``fetch`` raises."""
        self._latest = future = Future[Grant]()
        # Cancelling the wait must not cancel the fetch.
        future.set_running_or_notify_cancel()
        thread = threading.Thread(target=self._work, args=(future, stale), name="token", daemon=True)
        thread.start()
        try:
            async with asyncio.timeout(_LONGEST_FETCH_SECONDS) as limit:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TokenServiceError(
                f"The token service has not finished its answer in {_LONGEST_FETCH_SECONDS:.0f} s. Try again later.",
                transient=False,
            ) from None
        except asyncio.CancelledError:
            if self._rotating:
                # The program exits at once: an answer that has arrived must be stored.
                with suppress(KeyboardInterrupt, SystemExit):
                    thread.join(_STORING_SECONDS)
            raise

    async def close(self) -> None:
        """Wait for a running fetch if its answer must be stored."""
        if self._rotating and self._latest:
            await asyncio.gather(asyncio.wrap_future(self._latest), return_exceptions=True)

    def _work(self, future: Future[Grant], stale: str) -> None:
        try:
            future.set_result(self._fetch(stale))
        except BaseException as error:  # noqa: BLE001 - it is raised where the fetch is awaited
            future.set_exception(error)
