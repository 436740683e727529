"""Sends a command's start and end to a dead-man's switch and a webhook; a failure is only a warning."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct

from bulkreact import USER_AGENT
from bulkreact.errors import EXIT_SUCCESS, BulkreactError
from bulkreact.models import SUCCESSES, Status
from bulkreact.partnercenter.error_codes.lookup import describe_code
from bulkreact.wording import printable

_ATTEMPTS = 3
_TIMEOUT_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_SERVER_ERROR = 500
# Files and codes that a card or a line names.
_SHOWN = 10
TEAMS = "teams"
# A duplicate ended as its first row did, which is there as well.
_WELL = SUCCESSES | {Status.DUPLICATE}


class NotifyTargets(Struct, frozen=True):
    """The URLs to notify: ``ping`` is a dead-man's switch, ``url`` a webhook that gets JSON or a Teams card."""

    ping: str | None = None
    url: str | None = None
    teams: bool = False


class Notification(Struct, frozen=True):
    """How a command ended: a headline, a sentence for each file, and the webhook's content, None if there is nothing."""

    exit_code: int
    headline: str
    sentences: Sequence[str]
    content: Mapping[str, object] | None
    title: str = ""

    @property
    def line(self) -> str:
        """Return all of it on one line; of many files the first ones, then how many more."""
        return printable("; ".join((self.headline, *shorten_list(self.sentences, "more files"))))


def shorten_list(texts: Sequence[str], others: str) -> list[str]:
    """Return the first ten of some texts, and how many others there are."""
    count = len(texts) - _SHOWN
    return [*texts[:_SHOWN], *([f"and {count:,} {others}"] if count > 0 else [])]


async def notify_start(targets: NotifyTargets) -> list[str]:
    """Ping the dead-man's switch at the start, in one attempt only: the work waits for it. Return warnings."""
    if not targets.ping:
        return []
    return await _send("--ping", url_with_path(targets.ping, "start"), b"", "text/plain", attempts=1)


async def notify_end(targets: NotifyTargets, notification: Notification) -> list[str]:
    """Ping the dead-man's switch and post to the webhook. Return warnings."""
    warnings: list[str] = []
    if targets.ping:
        url = targets.ping if notification.exit_code == EXIT_SUCCESS else url_with_path(targets.ping, "fail")
        body = notification.line.encode("utf-8", "replace")
        warnings += await _send("--ping", url, body, "text/plain; charset=utf-8")
    if targets.url and notification.content is not None:
        content = teams_card(notification) if targets.teams else {**notification.content, "message": notification.line}
        # In ASCII, because file names need not be valid text.
        warnings += await _send("--notify-url", targets.url, json.dumps(content).encode(), "application/json")
    return warnings


def teams_card(notification: Notification) -> dict[str, object]:
    """Return the adaptive card that a Teams workflow posts into a channel: the files, the counts, the codes."""
    content = notification.content or {}
    # Our own words: a FactSet interprets Markdown.
    facts = [(name, content.get(name)) for name in ("state", "exit_code")] + _numbers(_total(content, "counts"))
    foreign = [(name, content.get(name)) for name in ("run_id", "reason")]
    codes = [
        f"{code} ({number:,}): {describe_code(code)}" for code, number in _total(content, "error_codes").most_common()
    ]
    customers = _affected_customers(content)
    success = notification.exit_code == EXIT_SUCCESS
    title = {
        "type": "TextBlock",
        "size": "medium",
        "weight": "bolder",
        "wrap": True,
        "color": "good" if success else "attention",
        "text": notification.title
        or f"bulkreact: {'all is well' if success else f'exit code {notification.exit_code}'}",
    }
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            title,
            *map(_paragraph, shorten_list(notification.sentences, "more files")),
            {
                "type": "FactSet",
                "facts": [
                    {"title": name.replace("_", " "), "value": str(value)} for name, value in facts if value is not None
                ],
            },
            *(_paragraph(str(value), name) for name, value in foreign if value and value not in notification.sentences),
            *map(_paragraph, shorten_list(codes, "more codes")),
            *([_paragraph("; ".join(shorten_list(customers, "more")), "customers to look at")] if customers else []),
        ],
    }
    if url := content.get("url"):
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(content: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Yield the content of a run, or of all runs of a sweep."""
    runs = content.get("runs")
    yield from (run for run in (content, *(runs if isinstance(runs, list) else ())) if isinstance(run, Mapping))


def _total(content: Mapping[str, object], name: str) -> Counter[str]:
    """Return the counts of a run, or those of all runs of a sweep together."""
    total = Counter[str]()
    for run in _runs(content):
        counts = run.get(name)
        total.update(counts if isinstance(counts, Mapping) else {})
    return total


def _affected_customers(content: Mapping[str, object]) -> list[str]:
    """Return the names of the customers whose rows did not end well, those with most rows first."""
    customers = Counter[str]()
    for run in _runs(content):
        rows = run.get("failed_rows") or run.get("rows")
        for row in rows if isinstance(rows, list) else ():
            customers[row.get("customer_name", "")] += row.get("status") not in _WELL
    return [name for name, count in customers.most_common() if name and count]


def _numbers(counts: Counter[str]) -> list[tuple[str, object]]:
    """Return the names that were counted, with their numbers."""
    return [(name, f"{number:,}") for name, number in counts.items() if number]


def _paragraph(text: str, name: str = "") -> dict[str, object]:
    """Return a paragraph in which nothing is Markdown, as it would be in a TextBlock or a FactSet."""
    label = [{"type": "TextRun", "weight": "bolder", "text": f"{printable(name.replace('_', ' '))}: "}] if name else []
    return {"type": "RichTextBlock", "inlines": [*label, {"type": "TextRun", "text": printable(text)}]}


def url_with_path(url: str, name: str) -> str:
    """Append a name to the path of a URL, before its query."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


async def _send(option: str, url: str, body: bytes, content_type: str, *, attempts: int = _ATTEMPTS) -> list[str]:
    """Post to a URL; a warning names only its host, because the rest is a secret."""
    try:
        failure = await _post(url, body, content_type, attempts)
    except BulkreactError as error:
        failure = str(error)
    host = urlsplit(url).hostname
    return [f"{option}: {host} could not be notified: {failure}. The run is not affected."] if failure else []


async def _post(url: str, body: bytes, content_type: str, attempts: int) -> str:
    """Return why the post failed, empty if it was accepted."""
    import aiohttp  # noqa: PLC0415 - most commands notify nothing

    from bulkreact.partnercenter.client import describe_error, find_refusal  # noqa: PLC0415 - see above
    from bulkreact.partnercenter.network import proxy_for, refused_proxies, tls_context  # noqa: PLC0415

    failure = ""
    headers, proxy = {"Content-Type": content_type}, proxy_for(url)
    if proxy in refused_proxies:
        return "the proxy has refused its name and password before"
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    connector = aiohttp.TCPConnector(ssl=tls_context())
    agent, cookies = {"User-Agent": USER_AGENT}, aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        timeout=timeout, connector=connector, headers=agent, cookie_jar=cookies
    ) as session:
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(_RETRY_SECONDS)
            try:
                async with session.post(url, data=body, headers=headers, proxy=proxy, allow_redirects=False) as answer:
                    if answer.ok and not answer.headers.get("Location"):
                        return ""
                    failure = f"it answered HTTP {answer.status}"
                    if answer.status < _SERVER_ERROR:
                        return failure
            except TimeoutError:
                # A second attempt could double the wait.
                return f"there was no answer in {_TIMEOUT_SECONDS:.0f} s"
            except (aiohttp.ClientError, OSError, ValueError) as error:
                failure = f"no connection ({describe_error(error)})"
                if find_refusal(error, host=urlsplit(url).hostname or "", proxy=proxy):
                    return failure
    return failure
