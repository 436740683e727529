"""What is asked and what an answer means, for every status and any bytes."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkreact.models import NoResponse, Operation, Response
from bulkreact.partnercenter import verdicts
from bulkreact.partnercenter.protocol import build_request, common_headers, is_business, judge, path_of_location
from bulkreact.partnercenter.verdicts import Verdict
from tests.support.ids import guid, scenario_id, target

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
WRITE, READ = Operation.REACTIVATE_ENTITLEMENT, Operation.GET_ENTITLEMENT
LIST = Operation.LIST_ENTITLEMENTS
OWN_HEADER = {"ms-cv": "x"}


def answer(
    status: int, body: bytes | dict[str, object] = b"", headers: dict[str, str] | None = None, reason: str = ""
) -> Response:
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    return Response(status, reason, OWN_HEADER if headers is None else headers, content)


def write(status: int, body: bytes | dict[str, object] = b"", headers: dict[str, str] | None = None) -> Verdict:
    return judge(WRITE, answer(status, body, headers), now=NOW)


def read(status: int, body: bytes | dict[str, object] = b"") -> Verdict:
    return judge(READ, answer(status, body), now=NOW)


def test_a_reactivation_is_a_bodyless_post_with_every_documented_header() -> None:
    row_target = target(scenario_id(1))
    request = build_request(WRITE, row_target, request_id=guid(1), correlation_id=guid(2), api_version="v1")
    assert request.method == "POST"
    assert request.path == (
        f"/v1/customers/{row_target.customer_id}/subscriptions/{row_target.subscription_id}"
        f"/azureEntitlements/{row_target.entitlement_id}/reactivate"
    )
    assert {**common_headers("v1", "en-US"), **request.headers} == {
        "Accept": "application/json",
        "MS-RequestId": guid(1),
        "MS-CorrelationId": guid(2),
        "MS-Contract-Version": "v1",
        "MS-PartnerCenter-Application": "bulkreact",
        "X-Locale": "en-US",
    }


def test_reading_an_entitlement_is_a_get_of_the_same_resource() -> None:
    row_target = target(scenario_id(1))
    request = build_request(READ, row_target, request_id=guid(1), correlation_id=guid(2), api_version="v2")
    assert request.method == "GET"
    assert request.path.startswith("/v2/customers/")
    assert request.path.endswith(f"/azureEntitlements/{row_target.entitlement_id}")
    assert common_headers("v2", "en-US")["MS-Contract-Version"] == "v2"


def test_a_subscriptions_entitlements_are_read_by_one_get_of_their_list() -> None:
    row_target = target(scenario_id(1))
    request = build_request(LIST, row_target, request_id=guid(1), correlation_id=guid(2))
    assert (request.method, request.path) == (
        "GET",
        f"/v1/customers/{row_target.customer_id}/subscriptions/{row_target.subscription_id}/azureEntitlements",
    )


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b'\xef\xbb\xbf{"totalCount":1,"items":[{"id":"AB","status":"Active"}]}', {"ab": "active"}),
        (b'{"Items":[{"Id":"a","Status":"inactive"},{"id":"b","status":"x"}]}', {"a": "inactive", "b": "x"}),
        (b'{"items":[]}', {}),
        (b'{"items":[{"id":"a"},{"id":"b","status":null},7,null,{"id":3,"status":"active"}]}', {}),
    ],
)
def test_a_list_has_the_status_of_each_entry_by_its_id(body: bytes, statuses: dict[str, str]) -> None:
    verdict = judge(LIST, answer(200, body), now=NOW)
    assert isinstance(verdict, verdicts.Listed)
    assert verdict.statuses == statuses


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"items":{}}', b"<html>", b'{"items":null}'])
def test_a_list_that_is_none_is_read_again(body: bytes) -> None:
    verdict = judge(LIST, answer(200, body), now=NOW)
    assert isinstance(verdict, verdicts.Transient)
    assert not verdict.lost


@pytest.mark.parametrize(
    "body", [b"", b"  \r\n", b"{}", b"[]", b"null", b"true", b'\xef\xbb\xbf{"id":"x"}', '{"id":"ü"}'.encode("utf-16")]
)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_without_a_body_or_with_json_is_accepted(status: int, body: bytes) -> None:
    assert isinstance(write(status, body), verdicts.Accepted)


@pytest.mark.parametrize("body", [b"<html></html>", b"Please sign in", "<html>".encode("utf-16")])
def test_a_success_with_a_foreign_page_is_no_answer(body: bytes) -> None:
    verdict = write(200, body)
    assert isinstance(verdict, verdicts.Transient)
    assert verdict.lost
    assert not verdict.answer.business


# (status, code, verdict) for every code that the documentation names for reactivating and reading an entitlement.
DOCUMENTED = [
    (400, 900118, verdicts.Refused),
    (400, 800002, verdicts.Refused),
    (400, 900337, verdicts.AmbiguousRefusal),
    (400, 900280, verdicts.TryLater),
    (400, 2055, verdicts.Refused),
    *((400, code, verdicts.Refused) for code in (2011, 800096, 800040, 800091, 900277, 900279, 900311)),
    *((400, code, verdicts.Refused) for code in (2001, 2002, 2054, 3000, 800081, 900307)),
    *((403, code, verdicts.PermissionRefused) for code in (900335, 2032, 900150, 900308)),
    *((403, code, verdicts.CustomerRefused) for code in (900159, 20002, 900123, 800073, 800074, 800075, 900416)),
    *((403, code, verdicts.Fatal) for code in (900329, 900309, 90000, 800039, 900149, 900124)),
    *((403, code, verdicts.Refused) for code in (900263, 800023, 900121)),
    *((404, code, verdicts.Refused) for code in (800111, 20003, 60003, 1000)),
    *((401, code, verdicts.TokenRefused) for code in (400, 800001)),
    *((401, code, verdicts.Fatal) for code in (900420, 900421)),
    (409, 27009, verdicts.ParentInactive),
    (409, 800082, verdicts.NotReady),
    (409, 900278, verdicts.TryLater),
    *((500, code, verdicts.Transient) for code in (800003, 900192, 800094)),
    (501, 0, verdicts.Transient),
]


@pytest.mark.parametrize(("status", "code", "expected"), DOCUMENTED)
@pytest.mark.parametrize("spelling", [int, str])
def test_every_documented_code_has_its_meaning_however_it_is_spelt(
    status: int, code: int, expected: type[Verdict], spelling: type[int] | type[str]
) -> None:
    verdict = write(status, {"code": spelling(code), "description": "words", "data": [], "source": "PartnerFD"})
    assert isinstance(verdict, expected)
    assert verdict.answer.code == str(code)
    assert verdict.answer.http_status == status


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, verdicts.Refused),
        (401, verdicts.TokenRefused),
        (403, verdicts.Refused),
        (404, verdicts.Refused),
        (408, verdicts.Transient),
        (409, verdicts.NotReady),
        (410, verdicts.Refused),
        (418, verdicts.Refused),
        (429, verdicts.Throttled),
        (500, verdicts.Transient),
        (501, verdicts.Transient),
        (502, verdicts.Transient),
        (503, verdicts.Transient),
        (504, verdicts.Transient),
        (599, verdicts.Transient),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>oops</html>", b'{"code":987654321,"description":"new"}'])
def test_an_unknown_code_falls_back_to_its_status(status: int, expected: type[Verdict], body: bytes) -> None:
    assert isinstance(write(status, body), expected)


def test_only_a_504_among_the_transient_answers_counts_as_lost() -> None:
    lost = {status for status in (408, 500, 501, 502, 503, 504, 505) if getattr(write(status), "lost", False)}
    assert lost == {504}


def test_a_501_is_repeated_only_once() -> None:
    verdict = write(501, {"code": 0, "description": "Exception not defined"})
    assert isinstance(verdict, verdicts.Transient)
    assert verdict.retry_once


def test_an_empty_401_that_names_an_invalid_token_is_fatal() -> None:
    verdict = write(401, b"", {"www-authenticate": 'Bearer error="invalid_token"'})
    assert isinstance(verdict, verdicts.Fatal)
    assert verdict.answer.code == "invalid_token"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_ends_no_request_id(status: int) -> None:
    verdict = write(status, b"", {"location": "https://elsewhere.example/"})
    assert isinstance(verdict, verdicts.Refused)
    assert verdict.answer.code == "unexpected-redirect"
    assert not verdict.answer.business


@pytest.mark.parametrize("sent", [True, False])
def test_a_call_without_an_answer_is_lost_exactly_when_it_left(sent: bool) -> None:
    verdict = judge(WRITE, NoResponse(sent=sent, code="timed-out", description="words"), now=NOW)
    assert isinstance(verdict, verdicts.Transient)
    assert (verdict.lost, verdict.sent) == (sent, sent)
    assert verdict.answer.http_status is None


@pytest.mark.parametrize("status", [*range(200, 300), *(set(range(400, 500)) - {401, 408, 429})])
def test_business_answers_end_the_request_id(status: int) -> None:
    assert is_business(status)


@pytest.mark.parametrize("status", [401, 408, 429, *range(300, 400), *range(500, 600)])
def test_other_answers_keep_the_request_id(status: int) -> None:
    assert not is_business(status)


SHAPES: list[tuple[bytes, str, str]] = [
    (b'{"code":900337,"description":"no","data":["x"],"source":"PartnerFD"}', "900337", "no"),
    (b'{"code":"900337","description":"no"}', "900337", "no"),
    (
        b'{"code":3000,"message":"m","description":"d","errorName":"e","isRetryable":false,"parameters":{}}',
        "3000",
        "d",
    ),
    (b'{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }', "http-400", "Rate limit"),
    (
        b'{"error":"invalid_grant","error_description":"AADSTS700082: expired","error_codes":[700082],"timestamp":"x"}',
        "700082",
        "AADSTS700082: expired",
    ),
    (b"<html><body>Bad  gateway\n</body></html>", "http-400", "<html><body>Bad gateway </body></html>"),
    (b"\xff\xfe" + '{"code":1000,"description":"ungültig"}'.encode("utf-16-le"), "1000", "ungültig"),
    ('{"code":1000,"description":"no mark"}'.encode("utf-16-le"), "1000", "no mark"),
    (b'\xef\xbb\xbf{"Code":"1000","Description":"older case"}', "1000", "older case"),
    (b'{"error":{"code":"1000","message":"nested"}}', "1000", "nested"),
    (b'{"code":', "http-400", '{"code":'),
    (b"[1,2]", "http-400", "[1,2]"),
    (b'{"code":null,"description":null}', "http-400", '{"code":null,"description":null}'),
    (b'{"code":{"a":1},"description":["first","second"]}', "http-400", "first"),
]


@pytest.mark.parametrize(("body", "code", "description"), SHAPES)
def test_every_error_shape_is_read(body: bytes, code: str, description: str) -> None:
    verdict = write(400, body)
    assert verdict.answer.code == code
    assert verdict.answer.description.startswith(description)


def test_an_empty_body_is_described_by_its_reason_phrase() -> None:
    verdict = judge(WRITE, answer(400, reason="Customer went away"), now=NOW)
    assert verdict.answer.description == "Customer went away"


def test_an_answer_without_a_description_gets_ours() -> None:
    assert write(503).answer.description == "Partner Center is not available at present"


def test_a_description_is_cut_and_loses_tokens_and_control_characters() -> None:
    text = "a\x1b[31m\r\nb\u2028 eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl " + "x" * 5000
    description = write(400, {"code": 3000, "description": text}).answer.description
    assert len(description) == 1024
    assert description.startswith("a [31m b [hidden] xxx")


@given(status=st.integers(100, 999), body=st.binary(max_size=300), header=st.text(max_size=40))
def test_any_status_with_any_bytes_has_a_verdict(status: int, body: bytes, header: str) -> None:
    reply = answer(status, body, {"retry-after": header, "www-authenticate": header, "date": header})
    for operation in Operation:
        verdict = judge(operation, reply, now=NOW)
        assert verdict.answer.http_status == status
        assert len(verdict.answer.description) <= 1024
        assert verdict.answer.description.isprintable()
        assert verdict.answer.code.isprintable()
        assert verdict.answer.description.encode().decode() == verdict.answer.description


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(
    status=st.sampled_from([200, 202, 400, 401, 403, 404, 409, 429, 500, 503]),
    fields=st.dictionaries(
        st.sampled_from(["code", "description", "message", "error", "error_codes", "status", "Code", "data", "items"]),
        _json,
    ),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]),
)
def test_any_json_in_any_encoding_has_a_verdict(status: int, fields: dict[str, object], encoding: str) -> None:
    body = json.dumps(fields).encode(encoding)
    for operation in Operation:
        assert judge(operation, answer(status, body), now=NOW).answer.http_status == status


@pytest.mark.parametrize("depth", [100_000])
def test_a_body_nested_too_deeply_is_only_text(depth: int) -> None:
    assert write(400, b"[" * depth).answer.code == "http-400"


@pytest.mark.parametrize(
    ("header", "body", "seconds"),
    [
        ("57", b"", 57),
        ("0.5", b"", 0.5),
        ("Sun, 01 Mar 2026 12:01:30 GMT", b"", 90),
        ("172800", b"", 172_800),
        ("", b'{ "statusCode": 429, "message": "Rate limit is exceeded. Try again in 57 seconds." }', 57),
        ("0", b'{"message":"Rate limit is exceeded. Try again in 12 seconds."}', 12),
        ("", b'{"message":"Try again in 2 minutes."}', 120),
        ("", b"", None),
        ("0", b"", None),
        ("-5", b"", None),
        ("soon", b"", None),
        ("Sun, 01 Mar 2026 11:59:00 GMT", b"", None),
        ("Sun, 99 Mar 2026 11:59:00 GMT", b"", None),
        ("\u0663", b"", None),
        ("", b'{"message":"Try again in 0 seconds."}', None),
    ],
)
def test_the_wait_is_read_from_the_header_else_from_the_body(header: str, body: bytes, seconds: float | None) -> None:
    verdict = write(429, body, {"retry-after": header} if header else {})
    assert isinstance(verdict, verdicts.Throttled)
    assert verdict.retry_after == seconds


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_date_to_wait_for_counts_from_the_date_of_the_answer(hours: int) -> None:
    headers = {"retry-after": "Sun, 01 Mar 2026 12:01:30 GMT", "date": "Sun, 01 Mar 2026 12:00:20 GMT"}
    verdict = judge(WRITE, answer(429, b"", headers), now=NOW + timedelta(hours=hours))
    assert isinstance(verdict, verdicts.Throttled)
    assert verdict.retry_after == 70


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'\xef\xbb\xbf{"id":"X","status":"active"}', "active"),
        (b'{"Id":"X","Status":"Inactive"}', "inactive"),
        ('{"status":"active"}'.encode("utf-16"), "active"),
        (b'{"status":"warming up"}', "warming up"),
    ],
)
def test_reading_finds_the_status_in_any_case_and_encoding(body: bytes, word: str) -> None:
    verdict = read(200, body)
    assert isinstance(verdict, verdicts.StatusRead)
    assert verdict.status == word


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"status":null}', b'{"status":3}', b"[]"])
def test_a_read_without_a_status_is_tried_again(body: bytes) -> None:
    verdict = read(200, body)
    assert isinstance(verdict, verdicts.Transient)
    assert not verdict.lost


def test_a_read_that_is_refused_with_900337_causes_no_other_read() -> None:
    assert isinstance(read(400, {"code": 900337, "description": "no"}), verdicts.Refused)


OPERATION = f"customers/{guid(1)}/subscriptions/{guid(2)}/operations/{guid(3)}"


@pytest.mark.parametrize(
    "location",
    [
        f"/{OPERATION}",
        OPERATION,
        f"/v1/{OPERATION}",
        f"https://partner.example/{OPERATION}",
        f" HTTPS://PARTNER.EXAMPLE/v1/{OPERATION} ",
        f"/{OPERATION}?token=canary#canary",
    ],
)
def test_the_location_of_an_operation_is_read_in_every_form(location: str) -> None:
    assert path_of_location(location, "https://partner.example", "v1") == f"/{OPERATION}"


@pytest.mark.parametrize(
    "location",
    [
        "",
        f"/invoices/{guid(1)}",
        f"https://elsewhere.example/{OPERATION}",
        f"https://partner.example.org/{OPERATION}",
        f"//elsewhere.example/{OPERATION}",
        f"/customers//{guid(1)}",
        f"/customers/{guid(1)}/canary",
        f"/customers/{guid(1)}/operations/{guid(2)}canary",
        f"/{OPERATION}/..",
        "/customers/../invoices",
        "/customers/%2e%2e/invoices",
        "/customers/.%2E/invoices",
        "/customers/a\\..\\b",
        "/customers/a b",
        "/customers/a#b",
        "/customers/@elsewhere.example",
        "/customers/\u00e4",
        "/customers/a\r\nHost: elsewhere.example",
    ],
)
def test_a_location_that_leads_out_of_the_customers_is_ignored(location: str) -> None:
    assert path_of_location(location, "https://partner.example", "v1") == ""
