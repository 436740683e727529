"""Signs in the one person of this machine by a link that works once."""

import hmac
import secrets
from collections.abc import Callable

from bulkreact.web.rate_limits import Door
from bulkreact.web.refusals import RequestRefusedError

_TOKEN_BYTES = 32


class OneTimeLink:
    """The token of the link that is valid now; when it has been used, another is announced."""

    def __init__(self, announce: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._announce = announce
        self._monotonic = monotonic
        self._door = Door()
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)

    def use(self, token: str) -> None:
        """Use the link up; RequestRefusedError if the token is not its, or was tried too often."""
        now = self._monotonic()
        if seconds := self._door.wait_for(now):
            raise RequestRefusedError(
                "rate-limited", f"Too many wrong links. Try again in {seconds} seconds.", retry_after=seconds
            )
        if not hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode()):
            self._door.record_wrong(now)
            raise RequestRefusedError(
                "bad-token",
                "This link is not valid any more: each works once. The next one stands where bulkreact serve was started.",
            )
        self._door.record_right()
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._announce(self.token)
