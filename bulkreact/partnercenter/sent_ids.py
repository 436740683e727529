"""Knows the ids of a client's calls, and so whether an answer names another of them. No I/O."""

from collections.abc import Collection

from bulkreact.guids import canonical_guid
from bulkreact.models import Request

REQUEST_ID, CORRELATION_ID = "MS-RequestId", "MS-CorrelationId"
# Ids of answered calls: at full speed, those of the last seconds on each connection.
_REMEMBERED = 1 << 14


class SentIds:
    """The request and correlation ids of all calls in flight, and of the last answered ones.

    ``are_echoed``: an answer has named the request id of its own call, as those of this service do.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self.are_echoed = False
        self._remembered = remembered
        # The request id of the call to which each id belongs. The recent ids become the older ones together.
        self._in_flight: dict[str, str] = {}
        self._recent: dict[str, str] = {}
        self._older: dict[str, str] = {}

    def begin(self, request: Request) -> None:
        """Take the ids of a call that is about to be sent."""
        self._in_flight.update(_owners(request))

    def end(self, request: Request) -> None:
        """Remember the ids of a call that is answered or lost."""
        owners = _owners(request)
        for sent_id in owners:
            self._in_flight.pop(sent_id, None)
        if len(self._recent) >= self._remembered:
            self._older, self._recent = self._recent, {}
        self._recent.update(owners)

    def name_another(self, named: Collection[str], request: Request) -> bool:
        """Return whether the ids in an answer to a call are those of another one.

        Ids that were never sent prove nothing: the documentation's own sample shows others than were sent. Those of an
        earlier attempt under the same request id are an answer to that request.
        """
        own = _owners(request)
        request_id = own[request.headers[REQUEST_ID]]
        self.are_echoed |= request_id in named
        others = (canonical_guid(part) for text in named if text not in own for part in text.split(","))
        return any(self._owner(other) not in {None, request_id} for other in others)

    def _owner(self, sent_id: str) -> str | None:
        return self._in_flight.get(sent_id) or self._recent.get(sent_id) or self._older.get(sent_id)


def _owners(request: Request) -> dict[str, str]:
    request_id = request.headers[REQUEST_ID]
    return {request_id: request_id, request.headers[CORRELATION_ID]: request_id}
