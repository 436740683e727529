"""Which jobs and runs are wanted on a page of the history, the newest first. No I/O."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bulkreact.timestamps import iso_milliseconds
from bulkreact.web.jobs import JobState
from bulkreact.web.refusals import bad_field

FILTERS = ("state", "by", "q", "from", "to")
_KEY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z)_(?:(\d{1,15})|([\w-]{1,120}))", re.ASCII)


class HistoryKey(Struct, frozen=True, order=True):
    """Where a job or a run stands in the history: by its time, then runs before jobs, by their names and numbers."""

    created_at: str
    number: int = 0
    run: str = ""

    def __str__(self) -> str:
        """Return it as a value for ``after``."""
        return f"{self.created_at}_{self.number or self.run}"


class HistoryFilter(Struct, frozen=True):
    """What is wanted: a state, texts without regard to case, times in UTC from one until before another."""

    state: str
    by: str
    text: str
    since: str
    until: str
    after: HistoryKey | None

    def conditions(self) -> dict[str, tuple[str | int, ...]]:
        """Return the conditions on a job in SQL, each with its values."""
        conditions: dict[str, tuple[str | int, ...]] = {
            "state = ?": (self.state,),
            "instr(casefold(by_name), ?)": (self.by,),
            "instr(casefold(name || ' ' || coalesce(run_id, '') || ' ' || number), ?)": (self.text,),
            "created_at >= ?": (self.since,),
            "created_at < ?": (self.until,),
        }
        wanted = {condition: values for condition, values in conditions.items() if values != ("",)}
        if self.after:
            # A run has no number: it comes after all jobs of its time.
            wanted["(created_at, number) < (?, ?)"] = (self.after.created_at, self.after.number)
        return wanted

    def may_have_run(self, key: HistoryKey, name: str, *, is_open: bool = True) -> bool:
        """Return whether a run may be wanted, by any person; one that is not open does not run."""
        return (
            (self.state in {"", JobState.FINISHED} or (self.state == JobState.RUNNING and is_open))
            and self.text in f"{name} {key.run}".casefold()
            and self.since <= key.created_at < (self.until or "9")
            and (self.after is None or key < self.after)
        )

    def has_run(self, key: HistoryKey, name: str, operator: str) -> bool:
        """Return whether a run is wanted, as far as its state is not asked for."""
        return self.by in operator.casefold() and self.may_have_run(key, name)


def parse_filter(query: Mapping[str, str], zone: ZoneInfo) -> HistoryFilter:
    """Read what an address asks for; its days are those of the page's time zone. RequestRefusedError if it is no such."""
    state = query["state"]
    if state and state not in set(JobState):
        raise bad_field("state", f"state is one of: {', '.join(JobState)}.")
    return HistoryFilter(
        state=state,
        by=query["by"].casefold(),
        text=query["q"].casefold(),
        since=_midnight("from", query["from"], zone),
        until=_midnight("to", query["to"], zone, days=1),
        after=_parse_key(query["after"]),
    )


def _midnight(name: str, text: str, zone: ZoneInfo, *, days: int = 0) -> str:
    if not text:
        return ""
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return iso_milliseconds(datetime.combine(day, time(), zone).astimezone(UTC))
    except (ValueError, OverflowError):
        raise bad_field(name, f"{name} is a date like 2026-03-01.") from None


def _parse_key(text: str) -> HistoryKey | None:
    if not text:
        return None
    match = _KEY.fullmatch(text)
    if match is None:
        raise bad_field("after", "after is what the page before has given as the next one.")
    return HistoryKey(match[1], int(match[2] or 0), match[3] or "")
