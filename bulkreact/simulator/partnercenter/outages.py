"""Scheduled outages: when the simulated service, or the gateway before it, is down, and how that looks."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from bulkreact.simulator.partnercenter.answers import HTML_PAGE, ScriptedAnswer

_NEVER_SECONDS = 3600.0


class OutageKind(StrEnum):
    """How an outage looks to a client: a gateway's page, a connection cut or refused, or no answer at all."""

    BAD_GATEWAY = "502"
    UNAVAILABLE = "503"
    GATEWAY_TIMEOUT = "504"
    RESET = "reset"
    REFUSED = "refused"
    NO_ANSWER = "no-answer"


class ScheduledOutage(Struct, frozen=True):
    """An outage between two times, in seconds since the start; ``retry_after`` is named by its answers, if positive."""

    begin: float
    end: float
    kind: OutageKind
    retry_after: float = 0.0

    def answer(self) -> ScriptedAnswer:
        """Return the answer to every call."""
        match self.kind:
            case OutageKind.RESET | OutageKind.REFUSED:
                return ScriptedAnswer(drop=True)
            case OutageKind.NO_ANSWER:
                return ScriptedAnswer(drop=True, delay=_NEVER_SECONDS)
            case _:
                headers = {"Retry-After": f"{self.retry_after:g}"} if self.retry_after else {}
                page = f"<html><head><title>{self.kind} from the gateway</title></head></html>".encode()
                return ScriptedAnswer(int(self.kind), page, {**HTML_PAGE, **headers}, from_gateway=True)


def answer_in_outage(outages: Iterable[ScheduledOutage], now: float) -> ScriptedAnswer | None:
    """Return the answer to a call if the service is down, else None; ``now`` is in seconds since the start."""
    return next((outage.answer() for outage in outages if outage.begin <= now < outage.end), None)
