"""What settings mean as they are written, and the table of clouds."""

from collections.abc import Callable

import pytest

from bulkreact.settings import (
    AUTHORITIES,
    BASE_URLS,
    RESOURCES,
    Cloud,
    Threshold,
    parse_age,
    parse_api_version,
    parse_client_id,
    parse_duration,
    parse_locale,
    parse_rate,
    parse_scope,
    parse_tenant,
    parse_threshold,
    resource_of,
    scope_for,
)
from bulkreact.urls import is_loopback, parse_authority, parse_base_url

CLIENT_ID = "c11e4700-0000-4000-8000-a00000000001"


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("300/min", 5),
        ("5/s", 5),
        ("0.5/s", 0.5),
        (" 60/MIN ", 1),
        ("900", 15),
        ("90.0", 1.5),
        ("off", None),
        ("10 / s", 10),
    ],
)
def test_rates_are_read(text: str, rate: float | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30s", 30), ("15m", 900), ("12h", 43_200), ("90d", 7_776_000)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_an_age_is_a_duration_with_its_unit() -> None:
    assert [parse_age(text) for text in ("0s", "12h", " 90D ")] == [0, 43_200, 7_776_000]


@pytest.mark.parametrize(
    ("text", "threshold"), [("50%", Threshold(share=0.5)), ("20", Threshold(number=20)), ("off", Threshold())]
)
def test_thresholds_are_read(text: str, threshold: Threshold) -> None:
    assert parse_threshold(text) == threshold


@pytest.mark.parametrize(
    ("threshold", "failures", "settled", "passed"),
    [
        (Threshold(share=0.5), 10, 20, False),
        (Threshold(share=0.5), 11, 20, True),
        (Threshold(number=3), 3, 3, False),
        (Threshold(number=3), 4, 99, True),
        (Threshold(), 99, 99, False),
    ],
)
def test_a_threshold_is_passed_strictly_above_it(
    threshold: Threshold, failures: int, settled: int, passed: bool
) -> None:
    assert threshold.is_exceeded(failures, settled) is passed


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_rate, text) for text in ("", "five", "-5/s", "0/s", "5/h", "five/s", "\u0665/s", "9" * 400, "5/")),
        *((parse_duration, text) for text in ("", "-1", "1w", "1h30", "s", "99999999d", "9" * 400)),
        *((parse_age, text) for text in ("", "90", "90.5", " 90 ", "0", "90x", "99999999d")),
        *((parse_threshold, text) for text in ("", "-1", "101%", "half", "1.5")),
        *((parse_api_version, text) for text in ("", "..", "v1/", "v1?x", "v 1")),
        *((parse_locale, text) for text in ("", "en_US", "en-US\r\nEvil: 1")),
        *((parse_base_url, text) for text in ("", "partner.example", "ftp://x", "http://partner.example")),
        *((parse_base_url, text) for text in ("https://", "https://x?y", "https://x#y", "https://[", "https://x:0")),
        *((parse_base_url, text) for text in ("http://127.0.0.1.evil.example", "http://localhost.evil.example")),
        *((parse_base_url, text) for text in ("https://a..b", "https://ann:secret@partner.example", "https://pärtner")),
        *(
            (parse_authority, text)
            for text in ("", "login.example", "http://127.0.0.1:8080", "https://login.example?x", "https://x//y")
        ),
        *((parse_scope, text) for text in ("", "/", "a b", "https://api.example/.default offline_access", "ä")),
        *((parse_tenant, text) for text in ("", "..", "a/b", "a b", "?", "a" * 300)),
        *((parse_client_id, text) for text in ("", "bulkreact", CLIENT_ID[:-1], CLIENT_ID.replace("-", ""))),
    ],
)
def test_what_cannot_be_read_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://Partner.Example/", "https://partner.example"),
        ("https://partner.example:8443/api/", "https://partner.example:8443/api"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_base_urls_are_read(text: str, url: str) -> None:
    assert parse_base_url(text) == url


@pytest.mark.parametrize(
    ("parse", "text", "read"),
    [
        (parse_authority, "https://Login.Example/", "https://login.example"),
        (parse_authority, "https://login.example/Tenant", "https://login.example/Tenant"),
        (parse_scope, " https://api.example/.default ", "https://api.example/.default"),
        (parse_scope, "https://api.example/", "https://api.example"),
        (parse_tenant, " Contoso.OnMicrosoft.com", "contoso.onmicrosoft.com"),
        (parse_client_id, CLIENT_ID.upper(), CLIENT_ID),
    ],
)
def test_the_identity_is_parsed(parse: Callable[[str], str], text: str, read: str) -> None:
    assert parse(text) == read


@pytest.mark.parametrize(
    ("cloud", "api", "authority"),
    [
        (Cloud.GLOBAL, "https://api.partnercenter.microsoft.com", "https://login.microsoftonline.com"),
        (Cloud.USGOV, "https://api.partnercenter.microsoft.com", "https://login.microsoftonline.us"),
        (
            Cloud.CHINA,
            "https://partner.partnercenterapi.microsoftonline.cn",
            "https://login.partner.microsoftonline.cn",
        ),
    ],
)
def test_a_cloud_has_its_documented_addresses(cloud: Cloud, api: str, authority: str) -> None:
    assert (BASE_URLS[cloud], RESOURCES[cloud], AUTHORITIES[cloud]) == (api, api, authority)


@pytest.mark.parametrize("cloud", list(Cloud))
def test_every_cloud_has_encrypted_addresses(cloud: Cloud) -> None:
    assert parse_base_url(BASE_URLS[cloud]) == BASE_URLS[cloud]
    assert parse_authority(AUTHORITIES[cloud]) == AUTHORITIES[cloud]


def test_another_host_is_not_this_machine() -> None:
    assert not is_loopback("partner.example")


@pytest.mark.parametrize(
    ("scope", "asked", "resource"),
    [
        ("https://api.example", "https://api.example/.default", "https://api.example"),
        ("https://api.example/.default", "https://api.example/.default", "https://api.example"),
        ("https://api.example/user_impersonation", "https://api.example/user_impersonation", "https://api.example"),
        ("api://0000/.default", "api://0000/.default", "api://0000"),
    ],
)
def test_the_resource_is_read_from_the_scope(scope: str, asked: str, resource: str) -> None:
    assert scope_for(scope, "/.default") == asked
    assert resource_of(asked) == resource
