"""The simulator's token service, as the real msal meets it over TLS."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic, time
from typing import TypedDict
from urllib.parse import urlencode

import jwt
import msal
import pytest
import requests

from bulkreact.simulator.identity.aadsts_errors import Fault
from bulkreact.simulator.identity.client_authentication import ASSERTION_TYPE
from bulkreact.simulator.identity.directory import RESOURCE, App
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.support.controlled_directory import ControlledDirectory
from tests.support.program import CANARY, Partner, Program
from tests.support.token_authority import (
    APP_SCOPE,
    CLIENT,
    REDIRECT,
    SECRET,
    TENANT,
    USER_SCOPE,
    Answer,
    Authority,
    Clock,
    key_pair,
    start_authority,
    write_ca,
    write_tls,
)

Confidential = Callable[..., msal.ConfidentialClientApplication]
Public = Callable[..., msal.PublicClientApplication]
OTHER = "c11e4700-0000-4000-8000-a00000000002"
PENDING = ("device_code", "70016")


class Tokens(TypedDict, total=False):
    """What msal returns: tokens, or an error."""

    access_token: str
    refresh_token: str
    id_token: str
    id_token_claims: dict[str, object]
    expires_in: int
    refresh_on: str
    token_source: str
    error: str
    error_codes: list[int]
    error_description: str


@pytest.fixture(autouse=True)
def ca_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests trust the test's CA: the environment has precedence over ``verify``."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(loop: asyncio.AbstractEventLoop, tmp_path: Path, clock: Clock) -> Iterator[Authority]:
    with start_authority(loop, tmp_path, directory=ControlledDirectory(clock)) as running:
        yield running


@pytest.fixture
def directory(authority: Authority) -> ControlledDirectory:
    return authority.directory


@pytest.fixture
def app(directory: ControlledDirectory) -> App:
    """Register an app with a secret and a certificate; the directory is closed to others."""
    app = App(CLIENT, TENANT, {SECRET: "valid", "old": "expired"}, [key_pair().certificate_pem], public=True)
    directory.register(app)
    return app


@pytest.fixture
def confidential(authority: Authority) -> Iterator[Confidential]:
    """Make real apps with a credential."""
    made = []

    def make(
        credential: object = SECRET, *, client_id: str = CLIENT, tenant: str = TENANT
    ) -> msal.ConfidentialClientApplication:
        made.append(
            msal.ConfidentialClientApplication(
                client_id,
                client_credential=credential,
                authority=f"{authority.authority_url}/{tenant}",
                verify=str(authority.ca_file),
                instance_discovery=False,
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.http_client.close()


@pytest.fixture
def public(authority: Authority) -> Iterator[Public]:
    """Make real apps without a credential."""
    made = []

    def make(*, client_id: str = CLIENT) -> msal.PublicClientApplication:
        made.append(
            msal.PublicClientApplication(
                client_id,
                authority=f"{authority.authority_url}/{TENANT}",
                verify=str(authority.ca_file),
                instance_discovery=False,
            )
        )
        return made[-1]

    yield make
    for client in made:
        client.http_client.close()


def for_app(client: msal.ConfidentialClientApplication) -> Tokens:
    """Ask for an app's own token."""
    tokens: Tokens = client.acquire_token_for_client([APP_SCOPE])
    return tokens


def refresh(client: msal.ClientApplication, refresh_token: str) -> Tokens:
    """Redeem a refresh token."""
    tokens: Tokens = client.acquire_token_by_refresh_token(refresh_token, [USER_SCOPE])
    return tokens


def poll(client: msal.PublicClientApplication, flow: dict[str, object]) -> Tokens:
    """Ask once whether a user has signed in on another device."""
    tokens: Tokens = client.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)
    return tokens


def sign_in(authority: Authority, client: msal.ClientApplication) -> Tokens:
    """Sign in in a browser."""
    flow = client.initiate_auth_code_flow([USER_SCOPE], redirect_uri=REDIRECT, response_mode="form_post")
    tokens: Tokens = client.acquire_token_by_auth_code_flow(flow, authority.sign_in(flow["auth_uri"]))
    return tokens


def claims(token: str) -> dict[str, object]:
    """Return what a token says, unverified."""
    content: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return content


def number(tokens: Tokens) -> object:
    """Return the number of the error that msal received."""
    return tokens["error_codes"][0]


def assertion(authority: Authority, **changes: object) -> dict[str, str]:
    """Return an assertion that only its changes make wrong."""
    content = {
        "aud": f"{authority.authority_url}/{TENANT}/oauth2/v2.0/token",
        "iss": CLIENT,
        "sub": CLIENT,
        "exp": time() + 60,
        "jti": "1",
        **changes,
    }
    thumbprint = jwt.utils.base64url_encode(bytes.fromhex(key_pair().thumbprint)).decode()
    text = jwt.encode(content, key_pair().key, algorithm="RS256", headers={"x5t": thumbprint})
    return {"client_assertion": text, "client_assertion_type": ASSERTION_TYPE, "scope": APP_SCOPE}


# An app's own tokens.


@pytest.mark.usefixtures("app")
def test_a_secret_gets_a_token_that_the_api_takes(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    tokens = for_app(confidential())
    assert directory.accepts(tokens["access_token"])
    assert authority.customers(tokens["access_token"]).status == 200
    assert tokens["expires_in"] == 3600
    (request,) = directory.requests
    assert (request.grant_type, request.client_id, request.tenant) == ("client_credentials", CLIENT, TENANT)
    assert (request.credential, request.outcome) == ("secret", "issued")


def test_an_app_token_has_the_claims_of_one(confidential: Confidential) -> None:
    content = claims(for_app(confidential())["access_token"])
    assert (content["aud"], content["appid"], content["tid"]) == (RESOURCE, CLIENT, TENANT)
    assert (content["idtyp"], content["roles"], content["ver"]) == ("app", [], "1.0")
    assert not {"scp", "amr", "upn"} & set(content)


def test_tokens_of_the_same_second_differ() -> None:
    directory = ControlledDirectory(lambda: 0.0)
    first, second = (directory.issue_for_app(CLIENT, TENANT, RESOURCE)["access_token"] for _ in range(2))
    assert first != second


def credentials(folder: Path) -> dict[str, dict[str, object]]:
    """Return the ways in which msal takes a certificate."""
    pair = key_pair()
    file = folder / "app.pfx"
    file.write_bytes(pair.pfx("open sesame"))
    return {
        "certificate": {"private_key": pair.key_pem, "public_certificate": pair.certificate_pem},
        "thumbprint": {"private_key": pair.key_pem, "thumbprint": pair.thumbprint},
        "both": {
            "private_key": pair.key_pem,
            "thumbprint": pair.thumbprint,
            "public_certificate": pair.certificate_pem,
        },
        "passphrase": {
            "private_key": pair.encrypted_key_pem("open sesame"),
            "public_certificate": pair.certificate_pem,
            "passphrase": "open sesame",
        },
        "pfx": {"private_key_pfx_path": str(file), "passphrase": "open sesame"},
        "pfx with chain": {
            "private_key_pfx_path": str(file),
            "passphrase": "open sesame",
            "public_certificate": True,
        },
    }


@pytest.mark.parametrize("kind", ["certificate", "thumbprint", "both", "passphrase", "pfx", "pfx with chain"])
@pytest.mark.usefixtures("app")
def test_a_certificate_gets_a_token(
    directory: ControlledDirectory, confidential: Confidential, tmp_path: Path, kind: str
) -> None:
    tokens = for_app(confidential(credentials(tmp_path)[kind]))
    assert directory.accepts(tokens["access_token"])
    assert [request.credential for request in directory.requests] == ["assertion"]


@pytest.mark.usefixtures("app")
def test_a_certificate_that_is_not_the_apps_is_refused(confidential: Confidential) -> None:
    pair = key_pair("another")
    for_another = {"private_key": pair.key_pem, "public_certificate": pair.certificate_pem}
    assert number(for_app(confidential(for_another))) == 700027


def test_an_app_may_have_several_certificates(
    directory: ControlledDirectory, app: App, confidential: Confidential
) -> None:
    first, second = key_pair(), key_pair("another")
    app.certificates.append(second.certificate_pem)
    tokens = [
        for_app(confidential({"private_key": signer.key_pem, "thumbprint": other.thumbprint}))
        for signer, other in ((first, first), (second, second), (first, second))
    ]
    assert [directory.accepts(token.get("access_token", "")) for token in tokens] == [True, True, False]
    assert number(tokens[2]) == 700027


@pytest.mark.usefixtures("app")
def test_the_thumbprint_of_a_certificate_does_not_do_without_its_key(confidential: Confidential) -> None:
    stolen = {"private_key": key_pair("another").key_pem, "thumbprint": key_pair().thumbprint}
    assert number(for_app(confidential(stolen))) == 700027


@pytest.mark.usefixtures("app")
def test_an_assertion_made_by_hand_is_as_good(authority: Authority) -> None:
    assert authority.ask("client_credentials", **assertion(authority)).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://login.microsoftonline.com"},
        {"iss": OTHER},
        {"sub": OTHER},
        {"exp": time() - 60},
        {"exp": "soon"},
        {"nbf": time() + 86_400},
    ],
)
@pytest.mark.usefixtures("app")
def test_an_assertion_with_a_wrong_claim_is_refused(authority: Authority, changes: dict[str, object]) -> None:
    answer = authority.ask("client_credentials", **assertion(authority, **changes))
    assert (answer.status, answer.number, answer.content["error"]) == (401, 700027, "invalid_client")


@pytest.mark.parametrize(
    "changes", [{"client_assertion_type": "jwt"}, {"client_assertion": "x"}, {"client_assertion": "e30.e30."}]
)
@pytest.mark.usefixtures("app")
def test_what_is_no_assertion_is_refused(authority: Authority, changes: dict[str, str]) -> None:
    assert authority.ask("client_credentials", **{**assertion(authority), **changes}).number == 700027


@pytest.mark.usefixtures("app")
def test_an_assertion_without_a_thumbprint_is_refused(authority: Authority) -> None:
    content = claims(assertion(authority)["client_assertion"])
    bare = jwt.encode(content, key_pair().key, algorithm="RS256")
    assert authority.ask("client_credentials", **{**assertion(authority), "client_assertion": bare}).number == 700027


@pytest.mark.parametrize(("secret", "expected"), [("wrong", 7000215), ("old", 7000222)])
@pytest.mark.usefixtures("app")
def test_a_wrong_secret_is_distinguished_from_an_expired_one(
    authority: Authority, confidential: Confidential, secret: str, expected: int
) -> None:
    tokens = for_app(confidential(secret))
    assert (tokens["error"], number(tokens)) == ("invalid_client", expected)
    assert authority.outcomes == [("client_credentials", str(expected))]


@pytest.mark.usefixtures("app")
def test_an_app_that_is_not_registered_is_refused(confidential: Confidential) -> None:
    tokens = for_app(confidential(client_id=OTHER))
    assert (tokens["error"], number(tokens)) == ("unauthorized_client", 700016)


@pytest.mark.usefixtures("app")
def test_a_tenant_that_is_not_known_has_no_endpoints(authority: Authority, confidential: Confidential) -> None:
    with pytest.raises(ValueError, match="authority configuration"):
        confidential(tenant="nowhere.example")
    assert authority.ask("client_credentials", tenant="nowhere.example", client_secret=SECRET).number == 90002


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": "client_credentials", "scope": APP_SCOPE}, 7000216),
        ({"grant_type": "client_credentials", "client_secret": "x"}, 500011),
        ({"grant_type": "client_credentials", "client_secret": "x", "scope": USER_SCOPE}, 500011),
        ({"grant_type": "client_credentials", "client_secret": "x", "scope": "https://x.example/.default"}, 500011),
        ({"grant_type": "password"}, 70003),
        ({"grant_type": ""}, 900144),
        ({"grant_type": "refresh_token"}, 900144),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, 70000),
        ({"grant_type": "refresh_token", "refresh_token": "x", "scope": f"{RESOURCE}/all"}, 70011),
        ({"grant_type": "refresh_token", "refresh_token": "x", "scope": "https://x.example/all"}, 500011),
        ({"grant_type": "authorization_code", "code": "x"}, 70000),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}, 70018),
        ({"grant_type": "refresh_token", "client_id": ""}, 900144),
    ],
)
def test_requests_that_make_no_sense_are_refused(authority: Authority, form: dict[str, str], expected: int) -> None:
    assert authority.ask(**form).number == expected


def test_an_open_directory_takes_any_tenant_client_and_secret(confidential: Confidential, tmp_path: Path) -> None:
    assert "access_token" in for_app(confidential("whatever", client_id=OTHER, tenant="contoso.example"))
    assert "access_token" in for_app(confidential(credentials(tmp_path)["pfx"]))


# Refresh tokens.


@pytest.mark.usefixtures("app")
def test_a_refresh_token_is_redeemed_once_for_the_next_one(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    first = directory.issue_refresh_token(CLIENT, TENANT)
    tokens = refresh(confidential(), first)
    assert authority.customers(tokens["access_token"]).status == 200
    assert tokens["refresh_token"] != first
    assert number(refresh(confidential(), first)) == 70000
    assert "access_token" in refresh(confidential(), tokens["refresh_token"])
    assert authority.outcomes == [("refresh_token", "issued"), ("refresh_token", "70000"), ("refresh_token", "issued")]


def test_a_user_token_has_the_claims_of_one(directory: ControlledDirectory, confidential: Confidential) -> None:
    tokens = refresh(confidential(), directory.issue_refresh_token(CLIENT, TENANT))
    content = claims(tokens["access_token"])
    assert (content["aud"], content["appid"], content["tid"]) == (RESOURCE, CLIENT, TENANT)
    assert (content["scp"], content["amr"], content["ver"]) == ("user_impersonation", ["pwd", "mfa"], "1.0")
    assert content["upn"] == content["unique_name"] == "ann@fabrikam.example"
    assert (content["name"], content["oid"]) == (directory.user.name, directory.user.oid)
    assert {"iss", "iat", "nbf", "exp"} < set(content)
    assert "idtyp" not in content


def test_what_a_user_token_says_can_be_changed_from_now_on(
    directory: ControlledDirectory, confidential: Confidential
) -> None:
    directory.mfa, directory.audience = False, "https://graph.example"
    content = claims(refresh(confidential(), directory.issue_refresh_token(CLIENT, TENANT))["access_token"])
    assert (content["amr"], content["aud"]) == (["pwd"], "https://graph.example")


@pytest.mark.usefixtures("app")
def test_a_refresh_token_that_was_revoked_or_not_used_for_long_is_refused(
    directory: ControlledDirectory, confidential: Confidential, clock: Clock
) -> None:
    revoked, used, late = (directory.issue_refresh_token(CLIENT, TENANT) for _ in range(3))
    directory.revoke(revoked)
    assert number(refresh(confidential(), revoked)) == 50173
    assert "access_token" in refresh(confidential(), used)
    clock.ahead += directory.refresh_lifetime
    assert number(refresh(confidential(), late)) == 700082
    fresh = directory.issue_refresh_token(CLIENT, TENANT)
    directory.revoke_all()
    assert number(refresh(confidential(), fresh)) == 50173


@pytest.mark.usefixtures("app")
def test_a_refresh_token_is_for_its_own_app(directory: ControlledDirectory, confidential: Confidential) -> None:
    directory.register(App(OTHER, TENANT, {SECRET: "valid"}))
    token = directory.issue_refresh_token(OTHER, TENANT)
    assert number(refresh(confidential(), token)) == 70000
    assert "access_token" in refresh(confidential(client_id=OTHER), token)


@pytest.mark.parametrize(("secret", "expected"), [("wrong", 7000215), ("old", 7000222)])
@pytest.mark.usefixtures("app")
def test_a_refresh_token_does_not_replace_the_secret(
    directory: ControlledDirectory, confidential: Confidential, secret: str, expected: int
) -> None:
    token = directory.issue_refresh_token(CLIENT, TENANT)
    assert number(refresh(confidential(secret), token)) == expected
    assert "access_token" in refresh(confidential(), token)


def test_a_public_client_presents_no_secret_and_another_has_to(
    directory: ControlledDirectory, app: App, confidential: Confidential, public: Public
) -> None:
    token = directory.issue_refresh_token(CLIENT, TENANT, public=True)
    assert number(refresh(confidential(), token)) == 700025
    tokens = refresh(public(), token)
    app.public = False
    assert number(refresh(public(), tokens["refresh_token"])) == 7000218
    assert "access_token" in refresh(confidential(), tokens["refresh_token"])


@pytest.mark.usefixtures("app")
def test_without_consent_there_are_no_tokens_for_users(
    directory: ControlledDirectory, app: App, confidential: Confidential
) -> None:
    app.consented = False
    tokens = refresh(confidential(), directory.issue_refresh_token(CLIENT, TENANT))
    assert (tokens["error"], number(tokens)) == ("invalid_grant", 65001)
    assert "access_token" in for_app(confidential())


def test_msal_keeps_the_account_and_refreshes_in_silence(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    client = confidential()
    directory.token_lifetime = 2.5
    first = refresh(client, directory.issue_refresh_token(CLIENT, TENANT))
    (account,) = client.get_accounts()
    assert account["username"] == "ann@fabrikam.example"
    assert account["home_account_id"] == f"{directory.user.oid}.{TENANT}"
    directory.token_lifetime = 3600
    second = client.acquire_token_silent([USER_SCOPE], account=account)
    third = client.acquire_token_silent([USER_SCOPE], account=account)
    assert first["access_token"] != second["access_token"] == third["access_token"]
    assert (first["expires_in"], second["token_source"], third["token_source"]) == (2, "identity_provider", "cache")
    assert authority.outcomes == [("refresh_token", "issued")] * 2


def test_a_long_lived_token_says_when_to_renew_it(directory: ControlledDirectory, confidential: Confidential) -> None:
    directory.token_lifetime = 7200
    tokens = for_app(confidential())
    assert tokens["expires_in"] == 7200
    assert int(tokens["refresh_on"]) - time() == pytest.approx(3600, abs=5)


def test_a_lifetime_below_a_second_is_given_as_one(directory: ControlledDirectory, confidential: Confidential) -> None:
    directory.token_lifetime = 0.5
    assert for_app(confidential())["expires_in"] == 1


# Signing in on another device.


def test_a_device_waits_until_a_user_signs_in(
    authority: Authority, directory: ControlledDirectory, clock: Clock, public: Public
) -> None:
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    assert directory.user_codes == [flow["user_code"]]
    assert flow["user_code"] in flow["message"]
    assert poll(client, flow)["error"] == "authorization_pending"
    clock.ahead += 1
    assert poll(client, flow)["error"] == "authorization_pending"
    directory.approve(flow["user_code"])
    tokens = poll(client, flow)
    assert authority.customers(tokens["access_token"]).status == 200
    assert "access_token" in refresh(client, tokens["refresh_token"])
    assert authority.outcomes == [PENDING, PENDING, ("device_code", "issued"), ("refresh_token", "issued")]
    assert directory.user_codes == []


def test_msal_polls_by_itself(directory: ControlledDirectory, public: Public) -> None:
    client = public()
    directory.interval = 0
    flow = client.initiate_device_flow([USER_SCOPE])
    directory.faults = [Fault(400, "authorization_pending", 70016)] * 2
    directory.approve(flow["user_code"])
    assert "access_token" in client.acquire_token_by_device_flow(flow)


def test_a_sign_in_that_was_declined_is_over(directory: ControlledDirectory, public: Public) -> None:
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    directory.decline(flow["user_code"])
    assert poll(client, flow)["error"] == "authorization_declined"
    with pytest.raises(KeyError):
        directory.approve(flow["user_code"])


def test_a_sign_in_waits_for_some_time_only(directory: ControlledDirectory, clock: Clock, public: Public) -> None:
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    assert flow["expires_in"] == 900
    clock.ahead += 900
    assert poll(client, flow)["error"] == "expired_token"
    assert directory.user_codes == []


def test_a_client_that_polls_too_often_must_slow_down(
    authority: Authority, directory: ControlledDirectory, public: Public
) -> None:
    directory.interval = 3600
    flow = public().initiate_device_flow([USER_SCOPE])
    polls = [
        authority.ask("urn:ietf:params:oauth:grant-type:device_code", device_code=flow["device_code"]) for _ in range(2)
    ]
    assert [poll.content["error"] for poll in polls] == ["authorization_pending", "slow_down"]


def test_a_device_gets_its_tokens_once(directory: ControlledDirectory, clock: Clock, public: Public) -> None:
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    directory.approve(flow["user_code"].lower())
    assert "access_token" in poll(client, flow)
    clock.ahead += 5
    assert poll(client, flow)["error"] == "bad_verification_code"


@pytest.mark.parametrize(("action", "expected"), [("approve", ""), ("decline", "authorization_declined")])
def test_a_person_signs_in_or_declines_on_the_page(
    authority: Authority, public: Public, action: str, expected: str
) -> None:
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    page = authority.fetch(flow["verification_uri"] + '?otc="><b>')
    assert page.headers["Content-Type"].startswith("text/html")
    assert b'name="user_code" value="&quot;&gt;&lt;b&gt;"' in page.body
    assert authority.send_code(flow["verification_uri"], "WRONG", action=action) == 400
    assert authority.send_code(flow["verification_uri"], flow["user_code"], action=action) == 200
    assert poll(client, flow).get("error", "") == expected


@pytest.mark.usefixtures("app")
def test_an_app_that_is_not_registered_cannot_begin_to_sign_in(authority: Authority, public: Public) -> None:
    flow = public(client_id=OTHER).initiate_device_flow([USER_SCOPE])
    assert (flow["error"], flow["error_codes"]) == ("unauthorized_client", [700016])
    query = urlencode({"client_id": OTHER, "redirect_uri": REDIRECT})
    assert authority.fetch(f"{authority.authority_url}/{TENANT}/oauth2/v2.0/authorize?{query}").number == 700016


def test_a_client_that_is_not_public_cannot_finish_on_another_device(
    directory: ControlledDirectory, app: App, public: Public
) -> None:
    app.public = False
    client = public()
    flow = client.initiate_device_flow([USER_SCOPE])
    directory.approve(flow["user_code"])
    assert number(poll(client, flow)) == 7000218


# Signing in in a browser.


@pytest.mark.usefixtures("app")
def test_a_browser_is_sent_back_by_a_form(authority: Authority, public: Public) -> None:
    client = public()
    tokens = sign_in(authority, client)
    assert authority.customers(tokens["access_token"]).status == 200
    assert client.get_accounts()[0]["username"] == "ann@fabrikam.example"
    assert authority.outcomes == [("authorization_code", "issued")]


def test_msal_opens_a_browser_and_waits_for_it_by_itself(authority: Authority, public: Public) -> None:
    answers: list[Future[Answer]] = []
    with ThreadPoolExecutor() as browsers:
        tokens = public().acquire_token_interactive(
            [USER_SCOPE],
            auth_uri_callback=lambda url: answers.append(browsers.submit(authority.browse, url)),
            timeout=60,
        )
    assert authority.customers(tokens["access_token"]).status == 200
    assert [answer.result().status for answer in answers] == [200]


@pytest.mark.filterwarnings("ignore:response_mode")
def test_a_browser_is_sent_back_by_a_redirect(authority: Authority, public: Public) -> None:
    client = public()
    flow = client.initiate_auth_code_flow([USER_SCOPE], redirect_uri=f"{REDIRECT}?a=b")
    answer = authority.fetch(flow["auth_uri"])
    assert (answer.status, answer.headers["Location"][: len(REDIRECT) + 4]) == (302, f"{REDIRECT}?a=b")
    back = authority.sign_in(flow["auth_uri"])
    assert back["state"] == flow["state"]
    assert "access_token" in client.acquire_token_by_auth_code_flow(flow, back)


@pytest.mark.usefixtures("app")
def test_a_confidential_client_proves_itself_when_it_redeems_a_code(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    tokens = sign_in(authority, confidential())
    assert "access_token" in refresh(confidential(), tokens["refresh_token"])
    assert [request.credential for request in directory.requests] == ["secret", "secret"]
    assert number(sign_in(authority, confidential("wrong"))) == 7000215


def test_the_id_token_names_the_user(authority: Authority, directory: ControlledDirectory, public: Public) -> None:
    content = sign_in(authority, public())["id_token_claims"]
    assert (content["aud"], content["tid"], content["oid"]) == (CLIENT, TENANT, directory.user.oid)
    assert content["preferred_username"] == "ann@fabrikam.example"
    assert content["iss"] == f"{authority.authority_url}/{TENANT}/v2.0"


def test_tokens_can_be_verified_with_the_published_keys(authority: Authority, public: Public) -> None:
    tokens = sign_in(authority, public())
    configuration = authority.fetch(f"{authority.authority_url}/{TENANT}/v2.0/.well-known/openid-configuration").content
    (key,) = jwt.PyJWKSet.from_dict(authority.fetch(str(configuration["jwks_uri"])).content).keys
    assert key.key_id == jwt.get_unverified_header(tokens["id_token"])["kid"]
    assert jwt.decode(tokens["id_token"], key, audience=CLIENT, issuer=str(configuration["issuer"]))["ver"] == "2.0"
    assert jwt.decode(tokens["access_token"], key, audience=RESOURCE)["ver"] == "1.0"


def test_a_code_is_redeemed_once_and_in_time(authority: Authority, clock: Clock) -> None:
    query = urlencode({"client_id": CLIENT, "redirect_uri": REDIRECT})
    url = f"{authority.authority_url}/{TENANT}/oauth2/v2.0/authorize?{query}"
    form = {"code": authority.sign_in(url)["code"], "redirect_uri": REDIRECT}
    late = {"code": authority.sign_in(url)["code"], "redirect_uri": REDIRECT}
    assert authority.ask("authorization_code", **form, client_id=OTHER).number == 70000
    assert authority.ask("authorization_code", **{**form, "redirect_uri": "http://localhost:2/"}).number == 50011
    assert authority.ask("authorization_code", **form).status == 200
    assert authority.ask("authorization_code", **form).number == 54005
    clock.ahead += 600
    assert authority.ask("authorization_code", **late).number == 70008


def test_a_code_without_its_verifier_is_worth_nothing(authority: Authority, public: Public) -> None:
    client = public()
    flow = client.initiate_auth_code_flow([USER_SCOPE], redirect_uri=REDIRECT, response_mode="form_post")
    back = authority.sign_in(flow["auth_uri"])
    assert number(client.acquire_token_by_auth_code_flow({**flow, "code_verifier": "x" * 43}, back)) == 501481
    assert "access_token" in client.acquire_token_by_auth_code_flow(flow, back)


def test_a_person_may_decline_in_the_browser(
    authority: Authority, directory: ControlledDirectory, public: Public
) -> None:
    directory.sign_in_error = "access_denied"
    assert sign_in(authority, public())["error"] == "access_denied"
    assert directory.requests == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"redirect_uri": "https://evil.example/"}, 50011),
        ({"redirect_uri": ""}, 900144),
        ({"client_id": ""}, 900144),
        ({"scope": "https://x.example/all"}, 500011),
    ],
)
def test_a_browser_is_not_sent_just_anywhere(authority: Authority, changes: dict[str, str], expected: int) -> None:
    query = urlencode({"client_id": CLIENT, "redirect_uri": REDIRECT, **changes})
    answer = authority.fetch(f"{authority.authority_url}/{TENANT}/oauth2/v2.0/authorize?{query}")
    assert (answer.status, answer.number) == (400, expected)


def test_what_a_form_sends_on_is_no_markup(authority: Authority) -> None:
    query = {"client_id": CLIENT, "redirect_uri": REDIRECT + '"<b>', "state": '"><b>', "response_mode": "form_post"}
    url = f"{authority.authority_url}/{TENANT}/oauth2/v2.0/authorize?{urlencode(query)}"
    assert b"<b>" not in authority.fetch(url).body
    assert authority.sign_in(url)["state"] == '"><b>'


# Scenarios and faults.


@pytest.mark.parametrize(
    ("expected", "error"),
    [
        (7000222, "invalid_client"),
        (700016, "unauthorized_client"),
        (900382, "invalid_request"),
        (650057, "invalid_resource"),
        (53003, "invalid_grant"),
        (90055, "temporarily_unavailable"),
        (1234567, "invalid_request"),
    ],
)
def test_a_client_id_that_ends_in_the_number_of_an_error_meets_it(
    authority: Authority, confidential: Confidential, expected: int, error: str
) -> None:
    client = confidential(client_id=f"c11e4700-0000-4000-8000-{expected:012d}")
    tokens = for_app(client)
    assert (tokens["error"], number(tokens)) == (error, expected)
    assert tokens["error_description"].startswith(f"AADSTS{expected}: ")
    assert authority.outcomes == [("client_credentials", str(expected))]


@pytest.mark.parametrize("expected", [50033, 90033, 90006, 90012, 90024, 90090])
def test_a_scenario_may_be_a_transient_error(confidential: Confidential, expected: int) -> None:
    with pytest.raises(msal.exceptions.MsalServiceError, match="503"):
        for_app(confidential(client_id=f"c11e4700-0000-4000-8000-{expected:012d}"))


@pytest.mark.parametrize("tail", ["000000000000", "123456789012", "a00000000001"])
def test_other_client_ids_have_no_scenario(confidential: Confidential, tail: str) -> None:
    assert "access_token" in for_app(confidential(client_id=f"c11e4700-0000-4000-8000-{tail}"))


def test_an_error_has_the_shape_of_the_real_one(authority: Authority) -> None:
    correlation_id = "5eed0000-0000-4000-8000-a00000000009"
    answer = authority.fetch(
        f"{authority.authority_url}/{TENANT}/oauth2/v2.0/token",
        {"grant_type": "client_credentials", "client_id": "c11e4700-0000-4000-8000-000000090055"},
        {"client-request-id": correlation_id},
    )
    content = answer.content
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert set(content) == {
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
    }
    assert content["correlation_id"] == correlation_id
    assert str(content["error_description"]).endswith(
        f"Trace ID: {content['trace_id']} Correlation ID: {correlation_id} Timestamp: {content['timestamp']}"
    )


@pytest.mark.parametrize(
    ("fault", "error", "outcome"),
    [
        (Fault(), msal.exceptions.MsalServiceError, "503"),
        (Fault(502, html=True), msal.exceptions.MsalServiceError, "502"),
        (Fault(200, html=True), json.JSONDecodeError, "200"),
        (Fault(drop=True), requests.exceptions.ConnectionError, "dropped"),
    ],
)
def test_scripted_faults_come_in_their_order_and_then_all_is_well(
    authority: Authority,
    directory: ControlledDirectory,
    confidential: Confidential,
    fault: Fault,
    error: type[Exception],
    outcome: str,
) -> None:
    directory.faults = [fault, Fault(400, "invalid_grant", 50076)]
    with pytest.raises(error):
        for_app(confidential())
    assert number(for_app(confidential())) == 50076
    assert "access_token" in for_app(confidential())
    assert [result for _, result in authority.outcomes] == [outcome, "50076", "issued"]


def test_a_throttle_may_say_how_long(authority: Authority, directory: ControlledDirectory) -> None:
    directory.faults = [Fault(429, "temporarily_unavailable", 90055, retry_after="7")]
    answer = authority.ask("client_credentials")
    assert (answer.status, answer.headers["Retry-After"], answer.number) == (429, "7", 90055)


def test_an_answer_may_be_lost_although_the_refresh_token_was_used(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    token = directory.issue_refresh_token(CLIENT, TENANT)
    directory.faults = [Fault(drop=True), Fault(drop=True, effect=True)]
    with pytest.raises(requests.exceptions.ConnectionError):
        refresh(confidential(), token)
    with pytest.raises(requests.exceptions.ConnectionError):
        refresh(confidential(), token)
    assert number(refresh(confidential(), token)) == 70000
    assert [outcome for _, outcome in authority.outcomes] == ["dropped", "dropped", "70000"]


def test_the_endpoint_can_be_slow(directory: ControlledDirectory, confidential: Confidential) -> None:
    directory.latency = 0.1
    began = monotonic()
    for_app(confidential())
    assert monotonic() - began >= 0.1


# What the API makes of tokens.


def is_refused(authority: Authority, token: str) -> bool:
    """Return whether the API refuses a token without a message."""
    answer = authority.customers(token)
    reply = (answer.status, answer.body, answer.headers.get("WWW-Authenticate"))
    return reply[0] == 401 and b"800001" in reply[1]


def test_a_token_is_good_until_it_expires(
    authority: Authority, directory: ControlledDirectory, clock: Clock, confidential: Confidential
) -> None:
    directory.token_lifetime = 60
    token = for_app(confidential())["access_token"]
    clock.ahead += 50
    assert authority.customers(token).status == 200
    clock.ahead += 10
    assert is_refused(authority, token)
    assert not directory.accepts(token)
    assert [call["answer"] for call in authority.service.call_log.calls] == ["200", "401"]


def test_tokens_can_be_revoked(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    before = for_app(confidential())["access_token"]
    directory.revoke_access_tokens()
    assert is_refused(authority, before)
    assert authority.customers(for_app(confidential())["access_token"]).status == 200


def test_a_foreign_token_is_refused(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    token = for_app(confidential())["access_token"]
    assert is_refused(authority, "x")
    assert is_refused(authority, token[:-4] + "AAAA")
    directory.audience = "https://graph.example"
    assert is_refused(authority, for_app(confidential())["access_token"])


def test_a_call_without_a_token_is_refused(authority: Authority) -> None:
    answer = authority.customers("")
    assert (answer.status, answer.content["code"]) == (401, 800001)


def test_a_user_without_a_second_factor_is_refused(
    authority: Authority, directory: ControlledDirectory, public: Public
) -> None:
    directory.mfa = False
    token = sign_in(authority, public())["access_token"]
    answer = authority.customers(token, ValidateMfa="true")
    assert (answer.status, answer.content["code"], answer.headers["isMfaCompliant"]) == (401, 900421, "false")
    assert not directory.accepts(token)
    directory.mfa_required = False
    answer = authority.customers(token, ValidateMfa="true")
    assert (answer.status, answer.headers["isMfaCompliant"]) == (200, "false")


def test_writes_and_readings_need_the_token_as_well(
    authority: Authority, directory: ControlledDirectory, confidential: Confidential
) -> None:
    token = for_app(confidential())["access_token"]
    path = "/v1/customers/{0}/subscriptions/{0}/azureEntitlements/{0}".format("5eed0000-0000-4000-8000-a00000000003")
    headers = {"Authorization": f"Bearer {token}"}
    assert authority.fetch(authority.base_url + path, headers=headers).status == 200
    directory.revoke_access_tokens()
    assert authority.fetch(authority.base_url + path, headers=headers).status == 401
    assert authority.fetch(f"{authority.base_url}{path}/reactivate", {}, headers).status == 401
    assert authority.service.call_log.effects == []


# Listing customers.


def test_customers_are_listed_behind_a_bom(authority: Authority, confidential: Confidential) -> None:
    answer = authority.customers(for_app(confidential())["access_token"], 2)
    content = answer.content
    items = content["items"]
    assert answer.body.startswith(b"\xef\xbb\xbf{")
    assert isinstance(items, list)
    assert content["totalCount"] == len(items) == 2
    assert set(items[0]["companyProfile"]) > {"tenantId", "domain", "companyName"}
    assert items[0]["id"] == items[0]["companyProfile"]["tenantId"]
    assert items[0]["relationshipToPartner"] == "reseller"
    assert content["attributes"] == {"objectType": "Collection"}
    assert authority.service.call_log.violations == []


@pytest.mark.parametrize("size", ["0", "-1", "x", "", "1000", "9" * 5000])
def test_a_page_has_a_reasonable_size(authority: Authority, confidential: Confidential, size: str) -> None:
    answer = authority.customers(for_app(confidential())["access_token"], size)
    assert (answer.status, answer.content["code"]) == (400, 800002)


def test_tokens_of_users_show_multi_factor_authentication(
    authority: Authority, confidential: Confidential, public: Public
) -> None:
    user = sign_in(authority, public())["access_token"]
    app_only = for_app(confidential())["access_token"]
    assert authority.customers(user, ValidateMfa="true").headers["isMfaCompliant"] == "true"
    assert "isMfaCompliant" not in authority.customers(user).headers
    assert "isMfaCompliant" not in authority.customers(app_only, ValidateMfa="true").headers
    assert "isMfaCompliant" not in authority.customers("x", ValidateMfa="true").headers


def test_without_a_directory_any_token_lists_customers(partner: Partner) -> None:
    url = f"{partner.base_url}/v1/customers?size=1"
    answers = [
        requests.get(url, headers={"Authorization": f"Bearer {CANARY}", **headers}, timeout=60)
        for headers in ({"ValidateMfa": "true"}, {}, {"Authorization": ""})
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert [answer.headers.get("isMfaCompliant") for answer in answers] == ["true", None, None]
    assert "MS-RequestId is not a GUID" in partner.service.call_log.violations
    login = f"{partner.base_url}/{TENANT}/v2.0/.well-known/openid-configuration"
    assert requests.get(login, timeout=60).status_code == 404


def test_listing_customers_is_limited(start_partner: Callable[[Behaviour], Partner]) -> None:
    partner = start_partner(Behaviour(partner_limit=2))
    url = f"{partner.base_url}/v1/customers"
    answers = [requests.get(url, headers={"Authorization": "Bearer x"}, timeout=60).status_code for _ in range(3)]
    assert answers == [200, 200, 429]


# The command.


def test_practising_without_tokens_imports_no_cryptography() -> None:
    code = (
        "import sys; from bulkreact.simulator.server import application\n"
        "from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter\n"
        "application(PartnerCenter(Behaviour(), float))\n"
        "print(sorted({'jwt', 'cryptography', 'msal'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "[]"


def test_the_command_serves_tokens_where_it_serves_https(program: Program, tmp_path: Path) -> None:
    certificate, key = write_tls(tmp_path)
    process = program.start("simulator", "--port", "0", "--tls-certificate", certificate, "--tls-key", key)
    assert process.stdout
    base_url = process.stdout.readline().strip()
    assert base_url.startswith("https://localhost:")
    client = msal.ConfidentialClientApplication(
        CLIENT,
        SECRET,
        authority=f"{base_url}/contoso.example",
        verify=str(write_ca(tmp_path)),
        instance_discovery=False,
    )
    token = for_app(client)["access_token"]
    client.http_client.close()
    headers = {"Authorization": f"Bearer {token}"}
    seen = requests.get(
        f"{base_url}/simulator/ledger", headers=headers, verify=str(tmp_path / "ca.pem"), timeout=60
    ).json()
    assert [request["outcome"] for request in seen["token_requests"]] == ["issued"]
    assert SECRET not in str(seen)
    process.terminate()
    ended = program.wait(process)
    assert ended.code == 0
    for word in ("--authority", "--tenant-id", "--client-id", "BULKREACT_CLIENT_SECRET", "REQUESTS_CA_BUNDLE"):
        assert word in ended.err


def test_a_certificate_and_its_key_need_each_other(program: Program, tmp_path: Path) -> None:
    certificate, key = write_tls(tmp_path)
    half, swapped, encrypted = (
        program("simulator", "--port", "0", *arguments)
        for arguments in (
            ("--tls-certificate", certificate),
            ("--tls-certificate", key, "--tls-key", certificate),
            ("--tls-certificate", certificate, "--tls-key", encrypted_key(tmp_path)),
        )
    )
    assert [half.code, swapped.code, encrypted.code] == [2, 2, 2]
    assert "--tls-certificate and --tls-key need each other" in half.err
    assert "not a certificate and its bare key" in swapped.err
    assert "not a certificate and its bare key" in encrypted.err


def encrypted_key(folder: Path) -> Path:
    """Write a key under a password."""
    file = folder / "encrypted.key"
    file.write_text(key_pair().encrypted_key_pem("open sesame"))
    return file
