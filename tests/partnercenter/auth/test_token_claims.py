"""What a token says of itself: read without trust, and refused only for what is there and wrong."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.partnercenter.auth.token_claims import expiry_reason, read_claims, rejection_reason

RESOURCE = "https://api.partnercenter.microsoft.com"
TENANT = "7e4a4700-0000-4000-8000-a00000000001"
OTHER = "7e4a4700-0000-4000-8000-a00000000002"
USER = {
    "aud": RESOURCE,
    "tid": TENANT,
    "scp": "user_impersonation",
    "amr": ["pwd", "mfa"],
    "upn": "ann@fabrikam.example",
}
APP = {"aud": RESOURCE, "tid": TENANT, "idtyp": "app"}


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2lnbmF0dXJl"


def reject(claims: dict[str, Any], *, resource: str = RESOURCE, tenant_id: str = TENANT) -> str:
    claim_set = read_claims(token(claims))
    assert claim_set
    return rejection_reason(claim_set, resource=resource, tenant_id=tenant_id)


@pytest.mark.parametrize(
    "claims",
    [
        USER,
        APP,
        {},
        USER | {"aud": RESOURCE + "/"},
        USER | {"aud": RESOURCE.upper()},
        USER | {"aud": [RESOURCE, "https://other.example"]},
        USER | {"tid": TENANT.upper()},
        USER | {"tid": "not a guid"},
        USER | {"amr": ["mfa"]},
        USER | {"amr": "mfa"},
        {name: value for name, value in USER.items() if name != "amr"},
        APP | {"amr": ["pwd"]},
        {"aud": RESOURCE, "amr": ["rsa"]},
        USER | {"aud": 7, "amr": {"mfa": False}, "tid": None},
    ],
)
def test_a_token_is_used_unless_a_claim_is_there_and_wrong(claims: dict[str, Any]) -> None:
    assert reject(claims) == ""


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (USER | {"aud": "https://graph.microsoft.com"}, "is for https://graph.microsoft.com"),
        (USER | {"aud": "https://partner.partnercenterapi.microsoftonline.cn"}, "--cloud"),
        (USER | {"aud": ["https://a.example", "https://b.example"]}, "--scope"),
        (USER | {"tid": OTHER}, f"of the tenant {OTHER}"),
        (APP | {"aud": "https://graph.microsoft.com"}, "is for https://graph.microsoft.com"),
        (APP | {"tid": OTHER}, f"of the tenant {OTHER}"),
        (USER | {"amr": ["pwd"]}, "ann@fabrikam.example must sign in again"),
        (USER | {"amr": []}, "multi-factor"),
        (USER | {"amr": "pwd"}, "bulkreact login"),
    ],
)
def test_each_refusal_says_what_is_wrong_and_what_to_do(claims: dict[str, Any], reason: str) -> None:
    assert reason in reject(claims)


def test_a_tenant_that_is_named_by_its_domain_cannot_be_compared() -> None:
    assert reject(USER, tenant_id="fabrikam.example") == ""
    assert reject(USER, tenant_id="") == ""


@pytest.mark.parametrize(
    ("exp", "now", "is_refused"),
    [
        (100, 99.9, False),
        (100, 100, True),
        (100.5, 101, True),
        ("100", 200, False),
        (True, 200, False),
        (None, 200, False),
    ],
)
def test_a_token_is_valid_until_it_expires(exp: object, now: float, is_refused: bool) -> None:
    claims = read_claims(token({"exp": exp}))
    assert claims
    assert bool(expiry_reason(claims, now=now)) is is_refused


def test_an_expired_token_is_refused_with_its_time_and_the_remedy() -> None:
    claims = read_claims(token({"exp": 1_700_000_000}))
    assert claims
    reason = expiry_reason(claims, now=1_800_000_000)
    assert "2023-11-14 22:13:20 UTC" in reason
    assert "BULKREACT_ACCESS_TOKEN" in reason


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.b.c.d", "a.!.c", "a.eyJ4.c", "a." + "W10" + ".c", "..", "ä.ö.ü"])
def test_what_is_no_json_web_token_has_no_claims(text: str) -> None:
    assert read_claims(text) is None


@given(st.text())
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    read_claims(text)
    read_claims(f"a.{text}.c")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["aud", "exp", "tid", "idtyp", "scp", "amr", "appid", "upn", "azp"]), JSON))
def test_no_claim_is_too_strange_to_be_judged(claims: dict[str, object]) -> None:
    claim_set = read_claims(token(claims))
    assert claim_set
    assert isinstance(rejection_reason(claim_set, resource=RESOURCE, tenant_id=TENANT), str)
    assert isinstance(expiry_reason(claim_set, now=0.0), str)
    assert isinstance(claim_set.expiry, str)
