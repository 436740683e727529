"""What people do to have a file approved on the page."""

from aiohttp import ClientResponse

from tests.support.web_page import Page, table


async def asks(page: Page, content: bytes = table(3), **fields: str) -> int:
    """Upload a file and send it for approval; return the job's number."""
    number = await page.ready(content, **fields)
    answer = await page.act(number, "submit")
    assert answer.status == 200, await answer.text()
    return number


async def decide(page: Page, number: int, decision: str = "approve", **changed: str) -> ClientResponse:
    """Return the response to a decision on a job as it is shown to this person."""
    check = (await page.job(number))["check"] or {}
    shown = {name: str(check.get(name)) for name in ("sha256", "digest")}
    return await page.act(number, decision, **shown | changed)
