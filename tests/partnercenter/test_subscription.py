"""A subscription goes back as it came: byte for byte, with one member changed."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.partnercenter.subscription import Subscription, parse_deadline, read
from bulkreact.timestamps import iso_seconds

_BOM = b"\xef\xbb\xbf"
# Numbers, strings and timestamps as a service may spell them, and as a careless client would not.
_ODD = st.sampled_from(
    [
        "1.10",
        "1E2",
        "-0",
        "-0.0",
        "12345678901234567890123",
        "0.30000000000000004",
        "1e999",
        f"1{'0' * 5000}",
        r'"\u00fc\/\ud83d\ude00"',
        '"2026-03-01T12:00:00.1234567Z"',
        '"9999-12-14T00:00:00"',
        "null",
        "[ ]",
        "{ }",
        r'{"status":"suspended","a":[1.0,{"status":null}]}',
    ]
)
_VALUES = _ODD | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, ensure_ascii=False))
_NAMES = st.text(min_size=1).filter(
    lambda name: name.lower() not in {"status", "autorenewenabled"} and "\ud800" not in name
)
_SPACE = st.sampled_from(["", " ", "\n  ", "\t", "\r\n"])


@st.composite
def _resources(draw: st.DrawFn) -> tuple[str, str, str]:
    """Return a resource, and what it must become when it is reactivated and when its auto-renewal is restored."""
    members = draw(st.dictionaries(_NAMES, _VALUES, max_size=6))
    spelt = draw(st.sampled_from(["status", "Status", "STATUS"]))
    renews = draw(st.sampled_from(["autoRenewEnabled", "AutoRenewEnabled"]))
    word = draw(st.sampled_from(['"suspended"', '"Suspended"', r'"susp\u0065nded"']))
    order = draw(st.permutations([*members, spelt, renews]))

    def text(status: str, auto_renew: str) -> str:
        values = {**members, spelt: status, renews: auto_renew}
        inner = ",".join(f"{gap}{json.dumps(name)}{gap}:{gap}{values[name]}{gap}" for name in order)
        return f"{gap}{{{inner}}}{gap}"

    gap = draw(_SPACE)
    return text(word, "false"), text('"active"', "false"), text(word, "true")


@given(_resources(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
def test_everything_but_the_one_member_goes_back_byte_for_byte(resource: tuple[str, str, str], encoding: str) -> None:
    text, reactivated, renewing = resource
    subscription = read(text.encode(encoding))
    assert subscription is not None
    assert subscription.status == "suspended"
    assert subscription.body_with_status_active == reactivated.encode()
    assert subscription.body_with_auto_renew == renewing.encode()


@given(st.binary() | st.text().map(str.encode) | st.builds(lambda body: _BOM + b'{"status":' + body, st.binary()))
def test_any_bytes_are_a_subscription_or_none(body: bytes) -> None:
    subscription = read(body)
    assert subscription is None or isinstance(subscription, Subscription)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'"suspended"',
        b"{}",
        b'{"status":null}',
        b'{"status":""}',
        b'{"status":7}',
        b'{"status":"suspended"',
        b'{"status":"suspended",}',
        b'{"status":"suspended" "id":1}',
        b'{"status":"suspended"} {}',
        b'{status:"suspended"}',
        b'{1:"x","status":"suspended"}',
        b'\xff\xfe\xff{"status":"suspended"}',
        b'{"status":"susp\xffended"}',
        b"[" * 100_000,
        b'{"status":"suspended","deep":' + b"[" * 100_000,
    ],
)
def test_what_could_not_go_back_whole_is_no_subscription(body: bytes) -> None:
    assert read(body) is None


def test_of_names_that_differ_in_case_the_documented_one_counts() -> None:
    subscription = read(b'{"status":"suspended","Status":"active"}')
    assert subscription is not None
    assert (subscription.status, subscription.body_with_status_active) == (
        "suspended",
        b'{"status":"active","Status":"active"}',
    )


@pytest.mark.parametrize(
    ("etag", "header"),
    [
        ('"abc=="', '"abc=="'),
        ('"\\"abc\\""', '"abc"'),
        ('"W/\\"abc\\""', 'W/"abc"'),
        ("null", ""),
        ('""', ""),
        ("7", ""),
        ('"a\\r\\nX-Evil: 1"', ""),
        ('"\\u00fc"', ""),
    ],
)
def test_an_etag_is_quoted_once_and_never_breaks_a_header(etag: str, header: str) -> None:
    subscription = read(f'{{"status":"suspended","Attributes":{{"ETag":{etag}}}}}'.encode())
    assert subscription is not None
    assert subscription.etag == header


def _renewal(members: str) -> bool:
    subscription = read(f'{{"status":"suspended",{members}}}'.encode())
    assert subscription is not None
    return subscription.auto_renew_disabled


def test_auto_renewal_was_lost_where_new_commerce_says_false() -> None:
    assert _renewal('"autoRenewEnabled":false')
    assert not _renewal('"autoRenewEnabled":true')
    assert not _renewal('"autoRenewEnabled":null')
    assert not _renewal('"quantity":1')
    assert not _renewal('"autoRenewEnabled":false,"attributes":{"etag":"x"}')


@pytest.mark.parametrize(
    "members",
    [
        '"offerId":"DZH318Z0BPS6:0001:DZH318Z0BMJX"',
        '"offerId":"dzh318z0bps6:0001"',
        '"productType":{"id":"AzurePlan","displayName":"x"}',
        '"ProductType":{"Id":"x","DisplayName":"Azure Plan"}',
        '"offerName":"Azure plan"',
    ],
)
def test_an_azure_plan_has_no_auto_renewal_to_lose(members: str) -> None:
    assert not _renewal(f'"autoRenewEnabled":false,{members}')


@pytest.mark.parametrize(
    ("value", "deadline"),
    [
        ("2026-03-01T12:00:00.1234567Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("9999-12-14T00:00:00Z", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        ("0001-01-01T00:00:00", ""),
        ("soon", ""),
        ("", ""),
        (None, ""),
        (Decimal(1), ""),
    ],
)
def test_the_end_of_a_term_is_a_time_or_never(value: object, deadline: str) -> None:
    time = parse_deadline(value)
    assert (iso_seconds(time) if time else "") == deadline
