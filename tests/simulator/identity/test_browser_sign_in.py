"""The page on which a user of the token service is chosen, and what an app learns of that user."""

from collections.abc import Iterator

import jwt
import msal
import pytest

from tests.support.token_authority import CLIENT, SECRET, TENANT, USER_SCOPE, Authority

CALLBACK = "https://localhost:1/page/auth/callback"
ROLES = {
    "ann": ["Uploader"],
    "ben": ["Approver"],
    "cleo": ["Uploader", "Approver"],
    "vic": ["Viewer"],
    "ada": ["Admin"],
    "nora": None,
}


@pytest.fixture
def app(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[msal.ConfidentialClientApplication]:
    """Make msal's application of a page."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.ca_file))
    made = msal.ConfidentialClientApplication(
        CLIENT,
        SECRET,
        f"{authority.authority_url}/{TENANT}",
        instance_discovery=False,
        exclude_scopes=["offline_access"],
    )
    yield made
    made.http_client.close()


@pytest.mark.parametrize("name", ROLES)
def test_each_user_can_be_chosen_and_brings_the_roles(
    authority: Authority, app: msal.ConfidentialClientApplication, name: str
) -> None:
    flow = app.initiate_auth_code_flow([], CALLBACK, response_mode="form_post")
    answer = authority.choose(flow["auth_uri"], name)
    claims = app.acquire_token_by_auth_code_flow(flow, answer)["id_token_claims"]
    assert (claims["preferred_username"], claims.get("roles")) == (f"{name}@fabrikam.example", ROLES[name])
    assert claims["oid"] in {user.oid for user in authority.directory.users}


def test_an_app_that_acts_for_a_user_gets_the_same_one_at_once(
    authority: Authority, app: msal.ConfidentialClientApplication
) -> None:
    flow = app.initiate_auth_code_flow([USER_SCOPE], CALLBACK, response_mode="form_post")
    assert authority.sign_in(flow["auth_uri"]).keys() == {"code", "state"}


def test_a_code_is_of_no_use_without_the_verifier(
    authority: Authority, app: msal.ConfidentialClientApplication
) -> None:
    flow = app.initiate_auth_code_flow([], CALLBACK, response_mode="form_post")
    answer = authority.choose(flow["auth_uri"], "ann")
    form = {"client_secret": SECRET, "code": answer["code"], "redirect_uri": CALLBACK}
    assert [authority.ask("authorization_code", **form, code_verifier=guess).number for guess in ("", "x" * 43)] == [
        501481,
        501481,
    ]


def test_it_names_where_sessions_end(authority: Authority) -> None:
    found = authority.fetch(f"{authority.authority_url}/{TENANT}/v2.0/.well-known/openid-configuration").content
    assert authority.fetch(str(found["end_session_endpoint"])).status == 200


def test_a_token_for_the_directory_is_none_for_the_partner(
    authority: Authority, app: msal.ConfidentialClientApplication
) -> None:
    token = app.acquire_token_for_client(["https://graph.microsoft.com/.default"])["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://graph.microsoft.com"
    assert authority.customers(token).status == 401
