"""Signs people in through Microsoft Entra by MSAL's code flow; of the tokens only the claims are read. It blocks."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct, ValidationError, convert
from msgspec.structs import asdict

from bulkreact.partnercenter.auth.token_errors import to_error
from bulkreact.redaction import Redactor
from bulkreact.web.permissions import Person, Role
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.serve_settings import EntraApp
from bulkreact.wording import printable

if TYPE_CHECKING:
    import msal

    from bulkreact.partnercenter.auth.msal_client import MsalHttpClient

_LEEWAY_SECONDS = 300
_LONGEST_NAME = 100


class Flow(Struct, frozen=True):
    """A sign-in that has begun: what MSAL needs to end it, and the page that is wanted afterwards."""

    state: str
    redirect_uri: str
    scope: list[str]
    code_verifier: str
    nonce: str
    wanted: str


class _Claims(Struct, frozen=True):
    """What an id token says, of which nothing may be missing that tells whom it is for and who it is."""

    aud: str
    iss: str
    exp: float
    tid: str
    oid: str
    name: str = ""
    preferred_username: str = ""
    roles: list[str] = []


def begin(app: EntraApp, redirect_uri: str, wanted: str) -> tuple[Flow, str]:
    """Return a new flow, and the address at which the person signs in; TokenServiceError if there is none."""
    with _application(app) as (client, _):
        content = client.initiate_auth_code_flow([], redirect_uri=redirect_uri, response_mode="form_post")
    return convert({**content, "wanted": wanted}, Flow), str(content["auth_uri"])


def finish(app: EntraApp, flow: Flow, answer: Mapping[str, str], now: datetime) -> Person:
    """Return who has signed in; TokenServiceError or RequestRefusedError if nobody has."""
    with _application(app) as (client, http_client):
        try:
            result = client.acquire_token_by_auth_code_flow(asdict(flow), dict(answer))
        except RuntimeError:
            # The id token is an answer to another flow: it has another nonce.
            raise _foreign() from None
        if "id_token_claims" not in result:
            raise to_error(http_client.answer(result))
    return person_of(result["id_token_claims"], app, now)


def prove(app: EntraApp) -> None:
    """Raise TokenServiceError unless the token service knows the app and its secret."""
    from bulkreact.partnercenter.auth.msal_client import grant_of  # noqa: PLC0415 - see below

    with _application(app) as (client, http_client):
        grant_of(client.acquire_token_for_client([app.identity.scope]), http_client)


def person_of(content: object, app: EntraApp, now: datetime) -> Person:
    """Return the person that claims name, with the roles that there are.

    MSAL does not check whom an id token is for. Its signature need not be checked, nor the host in its issuer: it came
    straight from the token service.
    """
    try:
        claims = convert(content, _Claims)
    except ValidationError:
        raise _foreign() from None
    tenant = app.identity.tenant_id
    is_ours = (claims.aud.lower(), claims.tid.lower()) == (app.identity.client_id, tenant)
    is_valid = claims.exp + _LEEWAY_SECONDS > now.timestamp() and claims.oid
    if not (is_ours and is_valid and tenant in claims.iss.lower().split("/")):
        raise _foreign()
    name = printable(claims.name or claims.preferred_username or claims.oid)[:_LONGEST_NAME]
    return Person(f"{tenant}.{claims.oid.lower()}", name, tuple(role for role in Role if role in claims.roles))


def _foreign() -> RequestRefusedError:
    return RequestRefusedError("no-right", "This account is not one of the tenant whose people work here.")


@contextmanager
def _application(app: EntraApp) -> "Iterator[tuple[msal.ClientApplication, MsalHttpClient]]":
    from bulkreact.partnercenter.auth.msal_client import (  # noqa: PLC0415 - costs a tenth of a second
        application,
        msal_session,
    )

    # Nothing of what comes and goes is logged, and a server that runs for months must not collect it.
    with msal_session(app.identity, Redactor()) as http_client:
        yield application(app.identity, app.secret, http_client, offline=False), http_client
