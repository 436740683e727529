"""Answers each form once: a repetition waits for the first and gets the same answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.records import FormAnswer
from bulkreact.web.refusals import RequestRefusedError, bad_field
from bulkreact.web.store import RecordStore

_KEPT_FOR = timedelta(hours=24)


class Forms:
    """The forms of all people, by their ids."""

    def __init__(self, store: RecordStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._pending: dict[tuple[str, str], tuple[str, asyncio.Future[FormAnswer | None]]] = {}

    async def find(self, person: str, form_id: str, route: str) -> FormAnswer | None:
        """Return how the form was answered, after waiting for its first submission; None if it is new."""
        while True:
            pending = self._pending.get((person, form_id))
            if pending:
                _refuse_other_route(pending[0], route)
                answer = await asyncio.shield(pending[1])
            else:
                answer = await asyncio.to_thread(self._store.form_answer, person, form_id)
                # Another request may have begun while the store was read.
                if answer is None and (person, form_id) not in self._pending:
                    return None
            if answer:
                _refuse_other_route(answer.route, route)
                return answer

    async def answer(
        self, person: str, form_id: str, route: str, act: Callable[[], Awaitable[tuple[int, str]]]
    ) -> FormAnswer:
        """Act once, and keep the status and location for repetitions; refusals are for those that wait alone."""
        future: asyncio.Future[FormAnswer | None] = asyncio.get_running_loop().create_future()
        self._pending[person, form_id] = (route, future)
        try:
            status, location = await act()
            answer = FormAnswer(person, form_id, route, status, location, iso_milliseconds(self._now()))
            answer = await asyncio.to_thread(self._store.keep_form, answer)
            future.set_result(answer)
        except RequestRefusedError as refusal:
            future.set_exception(refusal)
            # Nobody may be waiting.
            future.exception()
            raise
        finally:
            if not future.done():
                # It has no answer, as when its sender has gone away; the store knows whether it has done something.
                future.set_result(None)
            del self._pending[person, form_id]
        return answer

    def forget_old(self) -> None:
        """Forget forms that nobody will send again."""
        self._store.forget_forms(iso_milliseconds(self._now() - _KEPT_FOR))


def parse_form_id(text: str) -> str:
    """Return a form's id; RequestRefusedError unless it is a UUID."""
    try:
        return str(UUID(text))
    except ValueError:
        raise bad_field("form_id", "The form has no id of its own. Load the page again.") from None


def _refuse_other_route(known: str, route: str) -> None:
    if known != route:
        raise bad_field("form_id", "The form was sent before, for something else. Load the page again.")
