"""Whom an id token names, from where a request comes, and where the secret of the page is not found."""

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from bulkreact.partnercenter.auth.app_credentials import SecretValue
from bulkreact.secret_variables import PASSWORD_VARIABLE, SECRET_VARIABLE, SECRET_VARIABLES, TOKEN_VARIABLE
from bulkreact.settings import Identity
from bulkreact.web import processes
from bulkreact.web.entra import person_of
from bulkreact.web.permissions import Role
from bulkreact.web.refusals import RequestRefusedError
from bulkreact.web.serve_settings import EntraApp, client_address
from tests.support.signed_in import OTHER_TENANT
from tests.support.token_authority import CLIENT, SECRET, TENANT

APP = EntraApp(Identity(f"https://login.example/{TENANT}", TENANT, CLIENT, "", ""), SecretValue(SECRET, "a test"))
NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
CLAIMS: dict[str, object] = {
    "aud": CLIENT,
    "iss": f"https://login.example/{TENANT}/v2.0",
    "tid": TENANT,
    "oid": "a11ce000-0000-4000-8000-a00000000001",
    "exp": int(NOW.timestamp()) + 3600,
    "name": "Ann",
    "roles": ["Viewer", "Uploader", "Emperor"],
}


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::1", "evil, 2001:db8::9", "2001:db8::9"),
        ("127.0.0.1", "203.0.113.9, <b>", "127.0.0.1"),
        ("10.0.0.8", "203.0.113.9", "10.0.0.8"),
        ("10.0.0.9", "203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_a_proxy_of_ours_says_from_where_a_request_comes(peer: str, forwarded: str, address: str) -> None:
    assert client_address(peer, forwarded, frozenset({"10.0.0.9"})) == address


def test_claims_name_a_person_and_the_roles_that_there_are() -> None:
    person = person_of(CLAIMS, APP, NOW)
    assert (person.id, person.name) == (f"{TENANT}.{CLAIMS['oid']}", "Ann")
    assert person.roles == (Role.VIEWER, Role.UPLOADER)
    named = person_of({**CLAIMS, "name": "Ann\u202e\n" + "x" * 200}, APP, NOW)
    assert (named.name.isprintable(), len(named.name)) == (True, 100)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "c11e4700-0000-4000-8000-a00000000002"},
        {"aud": [CLIENT]},
        {"iss": f"https://login.example/{OTHER_TENANT}/v2.0"},
        {"iss": "https://login.example/common/v2.0"},
        {"tid": OTHER_TENANT},
        {"oid": ""},
        {"oid": None},
        {"exp": int(NOW.timestamp()) - 300},
        {"roles": "Admin"},
    ],
    ids=str,
)
def test_claims_for_another_app_or_tenant_name_nobody(changed: dict[str, object]) -> None:
    with pytest.raises(RequestRefusedError, match="not one of the tenant"):
        person_of({**CLAIMS, **changed}, APP, NOW)


def test_claims_that_lack_something_name_nobody() -> None:
    for name in ("aud", "iss", "tid", "oid", "exp"):
        with pytest.raises(RequestRefusedError):
            person_of({key: value for key, value in CLAIMS.items() if key != name}, APP, NOW)
    assert person_of({key: value for key, value in CLAIMS.items() if key != "roles"}, APP, NOW).roles == ()


def test_the_secret_is_not_shown() -> None:
    assert SECRET not in repr(APP)


def test_a_process_inherits_only_the_secrets_that_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET_VARIABLES:
        monkeypatch.setenv(name, SECRET)
    with patch("bulkreact.web.processes.subprocess.Popen") as popen:
        processes.start(["plan"], tmp_path / "log")
        processes.start(["run"], tmp_path / "log", environment={})
    inherited = [SECRET_VARIABLES & call.kwargs["env"].keys() for call in popen.call_args_list]
    assert inherited == [frozenset(), {TOKEN_VARIABLE, SECRET_VARIABLE, PASSWORD_VARIABLE}]
