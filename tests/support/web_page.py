"""A server of the web page in the test's own process, and a client that does what a browser does."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from aiohttp import ClientResponse, ClientSession, CookieJar, FormData

from bulkreact.timestamps import utc_now
from bulkreact.web.app import serving
from bulkreact.web.permissions import Person, Role
from bulkreact.web.rate_limits import Bucket
from bulkreact.web.serve_settings import PublicUrl, ServeSettings, parse_public_url
from bulkreact.web.site import Site

Json = dict[str, Any]
CUSTOMER = "11111111-0000-4000-8000-00000000000a"
HEADER = "customer_id,subscription_id,entitlement_id,name\n"
_PATIENCE = 120.0
_FAST = ("--verify-after=0s", "--verify-every=0.2s", "--verify-timeout=20s")


def line(number: int, *, ending: str = "", name: str = "") -> str:
    """Return a line of a file whose entitlement ends in certain digits."""
    entitlement = f"33333333-{number:04x}-4000-8000-{ending.rjust(12, '0') if ending else '00000000000a'}"
    return f"{CUSTOMER},22222222-0000-4000-8000-00000000000a,{entitlement},{name or f'Customer {number}'}\n"


def table(rows: int) -> bytes:
    """Return a file whose rows all end well."""
    return (HEADER + "".join(line(number) for number in range(1, rows + 1))).encode()


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition of which there is no event."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


def free_socket() -> socket.socket:
    """Return a socket that is bound to a free port of this machine."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def settings_for(
    folder: Path,
    listener: socket.socket,
    *,
    speed: str = "--rate=off",
    path: str = "",
    discover: Sequence[str] = ("--simulate",),
    **changed: object,
) -> ServeSettings:
    """Return settings of a server that practises, with runs that are as fast as they can be unless that is changed."""
    url = parse_public_url(f"http://127.0.0.1:{listener.getsockname()[1]}{path}")
    reports = folder / "reports"
    (reports / "serve").mkdir(parents=True, exist_ok=True)
    own = (f"--reports={reports}",)
    values: dict[str, object] = {
        "public_url": url,
        "hosts": url.hosts,
        "data": reports / "serve",
        "reports": reports,
        "max_upload": 1_000_000,
        "max_rows": 100_000,
        "longest_session": 3600.0,
        "idle": 600.0,
        "time_zone": ZoneInfo("Europe/Berlin"),
        "continue_runs": True,
        "simulated": True,
        "target": "simulated",
        "target_label": "the simulator",
        "person": Person("local", "ann", tuple(Role)),
        "arguments": {
            "plan": ("--simulate",),
            "run": (*own, "--simulate", speed, *_FAST),
            "resume": (*own, speed, *_FAST),
            "retry": (*own, speed, *_FAST),
            "verify": own,
            "doctor": (*own, "--simulate"),
            "discover": (*discover, speed),
        },
        "environment": {},
        "facts": (("rate", "off"),),
        "verify": False,
    }
    public = changed.get("public_url")
    if isinstance(public, PublicUrl):
        values["hosts"] = url.hosts | public.hosts
    return ServeSettings(**(values | changed))  # type: ignore[arg-type]


@dataclass
class Page:
    """A browser without script: its cookies, the token of its session, and the address of the server."""

    client: ClientSession
    origin: str
    link: str
    token: str = ""
    person: str = ""
    headers: dict[str, str] = field(default_factory=lambda: {"Sec-Fetch-Site": "same-origin"})

    async def sign_in(self) -> None:
        """Use the one-time link, or sign in as a made-up person."""
        path, data = ("practice", {"person": self.person}) if self.person else ("token", {"token": self.link})
        await self.client.post(f"{self.origin}/auth/{path}", data=data, headers=self.headers, allow_redirects=False)
        self.token = str((await self.json("/api/session"))["csrf"])

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """Return the response to a GET."""
        return await self.client.get(self.origin + path, headers=headers, allow_redirects=False)

    async def text(self, path: str) -> str:
        """Return a page that must be there."""
        response = await self.get(path)
        assert response.status == 200, (response.status, await response.text())
        return await response.text()

    async def json(self, path: str) -> Json:
        """Return JSON."""
        response = await self.get(path, Accept="application/json")
        content: Json = await response.json(content_type=None)
        return content

    async def post(
        self, path: str, data: Mapping[str, str] | FormData | None = None, *, headers: Mapping[str, str] | None = None
    ) -> ClientResponse:
        """Return the response to a form, with the token and a new id unless they are given."""
        if not isinstance(data, FormData):
            data = {"csrf": self.token, "form_id": str(uuid4())} | dict(data or {})
        sent = self.headers | {"Accept": "application/json"} | dict(headers or {})
        return await self.client.post(self.origin + path, data=data, headers=sent, allow_redirects=False)

    async def upload(
        self, content: bytes, name: str = "orders.csv", *, path: str = "/jobs", **fields: str
    ) -> ClientResponse:
        """Return the response to an upload."""
        # As browsers do: names are sent as they are.
        data = FormData(quote_fields=False)
        for key, value in ({"csrf": self.token, "form_id": str(uuid4())} | fields).items():
            data.add_field(key, value)
        data.add_field("file", BytesIO(content), filename=name, content_type="text/csv")
        return await self.post(path, data)

    async def job(self, number: int) -> Json:
        """Return a job."""
        return await self.json(f"/api/jobs/{number}")

    async def wait_for(self, number: int, *states: str) -> Json:
        """Return a job as soon as it is in one of the states; the test has failed when that takes two minutes."""
        end = asyncio.get_running_loop().time() + _PATIENCE
        while (job := await self.job(number))["state"] not in states:
            assert asyncio.get_running_loop().time() < end, (
                f"No. {number} is to be {' or '.join(states)}: {[job[name] for name in ('state', 'activity', 'cause')]}"
            )
            await asyncio.sleep(0.05)
        return job

    async def ready(self, content: bytes, name: str = "orders.csv", **fields: str) -> int:
        """Upload a file, wait for its check and return the job's number."""
        response = await self.upload(content, name, **fields)
        assert response.status == 201, await response.text()
        number = int((await response.json())["location"].rpartition("/")[2])
        await self.wait_for(number, "ready", "unusable")
        return number

    async def act(self, number: int, action: str, **fields: str) -> ClientResponse:
        """Return the response to an action on the present version of a job."""
        version = str((await self.job(number))["version"])
        return await self.post(f"/jobs/{number}/{action}", {"version": version} | fields)

    async def finished(self, content: bytes, name: str = "orders.csv", **fields: str) -> int:
        """Upload a file, run it to its end and return the job's number."""
        number = await self.ready(content, name, **fields)
        response = await self.act(number, "submit")
        assert response.status == 200, await response.text()
        await self.wait_for(number, "finished", "stopped")
        return number


@dataclass
class OwnPage(Page):
    """The page of a server in this process; ``links`` are the tokens that it has announced."""

    kept: Site | None = None
    links: list[str] = field(default_factory=list)

    @property
    def site(self) -> Site:
        """Return the server."""
        assert self.kept is not None
        return self.kept

    async def sign_in(self) -> None:
        """Use the link that is valid now."""
        self.link = self.site.link.token
        await super().sign_in()


def jar_for(url: PublicUrl) -> CookieJar:
    """Return a jar that treats this machine as browsers do: what is secure may come from there without TLS."""
    return CookieJar(unsafe=True, treat_as_secure_origin=url.origin)


@asynccontextmanager
async def practising(folder: Path, *people: str, **changed: object) -> AsyncIterator[tuple[OwnPage, ...]]:
    """Yield the pages of people who have signed in to a server with its data in a folder."""
    values = {"sign_in": "practice", "approval_from": 1, "signed_in": False} | changed
    async with serving_page(folder, **values) as page, AsyncExitStack() as stack:  # type: ignore[arg-type]
        # Tests are faster than people.
        page.site.requests = page.site.sign_ins = Bucket(10_000, 1.0)
        pages = list[OwnPage]()
        for person in people:
            client = await stack.enter_async_context(ClientSession(cookie_jar=CookieJar(unsafe=True)))
            pages.append(OwnPage(client, page.origin, "", person=person, kept=page.site))
            await pages[-1].sign_in()
        yield tuple(pages)


@asynccontextmanager
async def serving_page(
    folder: Path,
    *,
    now: Callable[[], datetime] = utc_now,
    signed_in: bool = True,
    silence: float = 30.0,
    **changed: object,
) -> AsyncIterator[OwnPage]:
    """Yield the page of a server with its data in a folder."""
    listener, links = free_socket(), list[str]()
    settings = settings_for(folder, listener, **changed)  # type: ignore[arg-type]
    site = Site(settings, links.append, now=now)
    url = settings.public_url
    async with serving(site, listener, silence=silence), ClientSession(cookie_jar=jar_for(url)) as client:
        page = OwnPage(client, f"{url.origin}{url.path}", "", kept=site, links=links)
        if signed_in:
            await page.sign_in()
        yield page
