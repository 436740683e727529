"""A page whose people sign in with the simulated token service, and what a browser does on the way there and back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientResponse, ClientSession

from bulkreact.partnercenter.auth.app_credentials import SecretValue
from bulkreact.settings import Identity
from bulkreact.web.serve_settings import EntraApp
from tests.support.token_authority import CLIENT, SECRET, TENANT, Authority
from tests.support.web_page import OwnPage, jar_for, serving_page


def app_of(authority: Authority, *, secret: str = SECRET) -> EntraApp:
    """Return the app registration of the page."""
    identity = Identity(
        f"{authority.authority_url}/{TENANT}", TENANT, CLIENT, "https://graph.microsoft.com/.default", ""
    )
    return EntraApp(identity, SecretValue(secret, "BULKREACT_WEB_CLIENT_SECRET"))


@dataclass
class EntraPage:
    """A browser at the page of a team."""

    page: OwnPage
    authority: Authority

    async def begin(self, wanted: str = "") -> str:
        """Return the address to which the page leads for signing in."""
        response = await self.page.client.get(
            f"{self.page.origin}/auth/sign-in", params={"next": wanted}, allow_redirects=False
        )
        assert response.status == 303, await response.text()
        return response.headers["Location"]

    async def choose(self, address: str, person: str) -> dict[str, str]:
        """Choose a person at the token service; return the form that the browser gets there."""
        return await asyncio.to_thread(self.authority.choose, address, person)

    async def bring(self, answer: Mapping[str, str], **headers: str) -> ClientResponse:
        """Post the form that came from the token service, as a browser does."""
        sent = {"Sec-Fetch-Site": "cross-site", "Origin": self.authority.authority_url} | headers
        return await self.page.client.post(
            f"{self.page.origin}/auth/callback", data=answer, headers=sent, allow_redirects=False
        )

    async def sign_in(self, person: str, wanted: str = "") -> ClientResponse:
        """Go the whole way; return where the page leads then."""
        response = await self.bring(await self.choose(await self.begin(wanted), person))
        self.page.token = str((await self.page.json("/api/session")).get("csrf", ""))
        return response

    @asynccontextmanager
    async def another_browser(self) -> AsyncIterator["EntraPage"]:
        """Yield another browser at the same page."""
        async with ClientSession(cookie_jar=jar_for(self.page.site.settings.public_url)) as client:
            yield EntraPage(OwnPage(client, self.page.origin, "", kept=self.page.site), self.authority)


@asynccontextmanager
async def entra_page(folder: Path, authority: Authority, **changed: object) -> AsyncIterator[EntraPage]:
    """Yield a browser at the page of a team, before anybody has signed in."""
    values = {"sign_in": "entra", "entra": app_of(authority), "approval_from": 1, "signed_in": False} | changed
    async with serving_page(folder, **values) as page:  # type: ignore[arg-type]
        yield EntraPage(page, authority)
