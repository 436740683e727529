"""Tells others how a command ended: a dead-man's switch and a web hook; what fails here is only worth a warning."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bulkreact.errors import EXIT_SUCCESS, BulkreactError

_ATTEMPTS = 3
_SECONDS = 10.0
_PAUSE_SECONDS = 1.0
_SERVER_ERROR = 500
TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class NotifyTargets:
    """Who is told: ``ping`` the dead-man's switch, ``url`` the hook, in the format of Teams or as plain JSON."""

    ping: str | None = None
    url: str | None = None
    teams: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    """How a command ended: the summary line and all that is said of it; ``content`` is None where nothing happened."""

    exit_code: int
    line: str
    content: Mapping[str, object] | None


def notify_start(hooks: NotifyTargets, warn: Callable[[str], None]) -> None:
    """Tell the dead-man's switch that work begins; it is not tried twice, as the work waits for it."""
    if hooks.ping:
        _send("--ping", _url_with_path(hooks.ping, "start"), b"", "text/plain", warn, attempts=1)


def notify_end(hooks: NotifyTargets, news: Notification, warn: Callable[[str], None]) -> None:
    """Tell everybody how it ended."""
    if hooks.ping:
        url = hooks.ping if news.exit_code == EXIT_SUCCESS else _url_with_path(hooks.ping, "fail")
        _send("--ping", url, news.line.encode("utf-8", "replace"), "text/plain; charset=utf-8", warn)
    if hooks.url and news.content is not None:
        content = teams_card(news) if hooks.teams else {**news.content, "message": news.line}
        # In ASCII: names of files may be no text.
        body = json.dumps(content).encode()
        _send("--notify-url", hooks.url, body, "application/json", warn)


def teams_card(news: Notification) -> dict[str, object]:
    """Return what a Teams workflow posts into a channel: an adaptive card with the line and the counts."""
    content = news.content or {}
    names = [name for name in ("run_id", "state", "exit_code", "reason") if content.get(name) not in (None, "")]
    facts = [{"title": name.replace("_", " "), "value": str(content[name])} for name in names]
    for name in ("counts", "error_codes"):
        numbers = content.get(name)
        if isinstance(numbers, Mapping):
            facts.extend({"title": str(key), "value": f"{number:,}"} for key, number in numbers.items() if number)
    good = news.exit_code == EXIT_SUCCESS
    title = {
        "type": "TextBlock",
        "size": "medium",
        "weight": "bolder",
        "wrap": True,
        "color": "good" if good else "attention",
        "text": f"bulkreact: {'all is well' if good else f'exit code {news.exit_code}'}",
    }
    body = [title, {"type": "TextBlock", "wrap": True, "text": news.line}, {"type": "FactSet", "facts": facts}]
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": body,
                },
            }
        ],
    }


def _url_with_path(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{name}"))


def _send(
    option: str, url: str, body: bytes, kind: str, warn: Callable[[str], None], *, attempts: int = _ATTEMPTS
) -> None:
    """Post to a URL; the warning names its host alone, as whoever knows the rest can post there too."""
    try:
        trouble = asyncio.run(_post(url, body, kind, attempts))
    except BulkreactError as error:
        trouble = str(error)
    if trouble:
        warn(f"{option}: {urlsplit(url).hostname} could not be told: {trouble}. The run is not concerned.")


async def _post(url: str, body: bytes, kind: str, attempts: int) -> str:
    """Return what went wrong, empty when it was taken."""
    import aiohttp  # noqa: PLC0415 - most commands tell nobody

    from bulkreact.partnercenter.network import proxy_for, tls_context  # noqa: PLC0415

    trouble = ""
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    connector = aiohttp.TCPConnector(ssl=tls_context())
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            try:
                async with session.post(
                    url, data=body, headers={"Content-Type": kind}, proxy=proxy_for(url), allow_redirects=False
                ) as answer:
                    if answer.ok and not answer.headers.get("Location"):
                        return ""
                    trouble = f"it answered HTTP {answer.status}"
                    if answer.status < _SERVER_ERROR:
                        return trouble
            except TimeoutError:
                # Nobody waits so long twice.
                return f"there was no answer in {_SECONDS:.0f} s"
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # Not its text, which may have the URL in it.
                trouble = f"no connection ({type(error).__name__})"
    return trouble
