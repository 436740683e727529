"""A client of simulated subscriptions that sends back what it read, without sockets."""

import re
from collections.abc import Callable

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter
from tests.support.ids import guid

CUSTOMER = guid(1001)
_STATUS = re.compile(r'("status" ?: ?)"\w+"', re.IGNORECASE)
_AUTO_RENEW = re.compile(r'("autoRenewEnabled" ?: ?)false', re.IGNORECASE)
_ETAG = re.compile(r'"etag":"([^"]+)"', re.IGNORECASE)


def text_of(body: bytes) -> str:
    """Return the text of a body in any encoding."""
    return body.decode("utf-16") if body[:2] == b"\xff\xfe" else body.decode("utf-8-sig")


def activate(text: str) -> str:
    """Return a resource with its status set to active, and nothing else."""
    return _STATUS.sub(r'\1"active"', text, count=1)


def enable_auto_renew(text: str) -> str:
    """Return a resource with its auto-renew switched on, and nothing else."""
    return _AUTO_RENEW.sub(r"\1true", text, count=1)


class SubscriptionClient:
    """A simulated partner, its clock, and a client that reads and updates its subscriptions."""

    def __init__(self, rules: Behaviour | None = None) -> None:
        self.now = 0.0
        self.service = PartnerCenter(rules or Behaviour(), lambda: self.now)
        self._numbers = iter(range(100_000, 200_000))

    @property
    def violations(self) -> list[str]:
        return self.service.call_log.violations

    @property
    def effects(self) -> list[dict[str, str]]:
        return self.service.call_log.effects

    def read(self, subscription_id: str) -> ScriptedAnswer:
        return self.service.read_subscription(CUSTOMER, subscription_id)

    def text(self, subscription_id: str) -> str:
        """Read a resource that can be read."""
        answer = self.read(subscription_id)
        assert answer.status == 200
        return text_of(answer.body)

    def status(self, subscription_id: str) -> str:
        """Read the status of a resource that can be read."""
        match = _STATUS.search(self.text(subscription_id))
        assert match
        return match[0].rpartition(":")[2].strip(' "')

    def patch(
        self, subscription_id: str, change: Callable[[str], str] = activate, *, request_id: str | None = None
    ) -> ScriptedAnswer:
        """Read a resource and send it back with a change."""
        text = self.text(subscription_id)
        return self.send(subscription_id, change(text), request_id=request_id)

    def send(self, subscription_id: str, text: str, *, request_id: str | None = None) -> ScriptedAnswer:
        """Send a resource, with the etag that is in it."""
        etag = _ETAG.search(text)
        return self.service.update_subscription(
            CUSTOMER,
            subscription_id,
            guid(next(self._numbers)) if request_id is None else request_id,
            text.encode(),
            f'"{etag[1]}"' if etag else None,
            "application/json",
        )

    def statuses(self, subscription_id: str, times: int, change: Callable[[str], str] = activate) -> list[int]:
        """Return how so many updates under one request id are answered, 0 for a connection that drops."""
        answers = [self.patch(subscription_id, change, request_id=guid(99)) for _ in range(times)]
        return [0 if answer.drop else answer.status for answer in answers]
