"""What all who watch a job are told: made once for all of them, and anew when something has changed or half a second is over."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256

from msgspec import Struct

from bulkreact.web.views import Document

_VALID_SECONDS = 0.5
_MOST = 200


class LiveAnswer(Struct, frozen=True):
    """The JSON of a job's live numbers, and its tag."""

    text: str
    tag: str


class _KnownAnswer(Struct):
    lock: asyncio.Lock
    answer: LiveAnswer | None = None
    revision: int = 0
    made_at: float = 0.0


class LiveAnswers:
    """The answers for all jobs that are watched; ``revision`` is a number that changes with the record of the jobs."""

    def __init__(
        self, make: Callable[[int], Awaitable[Document]], revision: Callable[[], int], monotonic: Callable[[], float]
    ) -> None:
        self._make = make
        self._revision = revision
        self._monotonic = monotonic
        self._kept: dict[int, _KnownAnswer] = {}

    async def get(self, number: int) -> LiveAnswer:
        """Return the answer for a job; whoever asks while it is made waits for that one."""
        kept = self._kept.get(number)
        if kept is None:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            kept = self._kept[number] = _KnownAnswer(asyncio.Lock())
        if answer := self._valid(kept):
            return answer
        async with kept.lock:
            return self._valid(kept) or await self._renew(kept, number)

    def _valid(self, kept: _KnownAnswer) -> LiveAnswer | None:
        is_new = kept.revision == self._revision() and self._monotonic() - kept.made_at < _VALID_SECONDS
        return kept.answer if is_new else None

    async def _renew(self, kept: _KnownAnswer, number: int) -> LiveAnswer:
        revision = self._revision()
        text = json.dumps(await self._make(number), ensure_ascii=False, separators=(",", ":"))
        answer = LiveAnswer(text, sha256(text.encode()).hexdigest()[:20])
        kept.answer, kept.revision, kept.made_at = answer, revision, self._monotonic()
        return answer
