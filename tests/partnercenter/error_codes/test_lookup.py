"""The catalogue: every documented code is explained, and every row that needs advice gets it."""

import pytest

from bulkreact.models import SUCCESSES, Status
from bulkreact.partnercenter.error_codes.entry import ErrorCode, Responsible
from bulkreact.partnercenter.error_codes.local_codes import LOCAL_ENTRIES
from bulkreact.partnercenter.error_codes.lookup import advice, find_entries
from tests.partnercenter.test_protocol import DOCUMENTED
from tests.support.ids import AADSTS


@pytest.mark.parametrize("code", [str(code) for _, code, _ in DOCUMENTED])
def test_every_documented_code_is_explained_with_who_must_act_and_what_to_do(code: str) -> None:
    entries = find_entries(code)
    assert entries
    assert all(entry.description and entry.responsible for entry in entries)
    assert all(entry.advice for entry in entries if entry.responsible is not Responsible.NOBODY)


@pytest.mark.parametrize("number", AADSTS)
@pytest.mark.parametrize("spelling", ["{}", "AADSTS{}", "aadsts{}"])
def test_every_number_of_the_token_service_is_explained(number: str, spelling: str) -> None:
    assert any(entry.code == f"AADSTS{number}" for entry in find_entries(spelling.format(number)))


@pytest.mark.parametrize("status", list(Status))
def test_every_status_is_explained(status: Status) -> None:
    assert [entry.code for entry in find_entries(status)] == [status]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 412, 418, 429, 500, 501, 502, 503, 504, 599])
@pytest.mark.parametrize("spelling", ["{}", "http-{}"])
def test_every_http_status_is_explained(status: int, spelling: str) -> None:
    assert find_entries(spelling.format(status))


def test_a_code_that_is_also_a_status_is_explained_both_ways() -> None:
    assert [(entry.http_status, entry.code) for entry in find_entries("400")] == [(401, "400"), (400, "")]


@pytest.mark.parametrize("word", ["", "nonsense", "12345678", "http-", "http-999", "🙂"])
def test_an_unknown_status_is_not_explained(word: str) -> None:
    assert find_entries(word) == []


@pytest.mark.parametrize(("status", "code", "_verdict"), DOCUMENTED)
def test_every_failure_carries_advice(status: int, code: int, _verdict: object) -> None:
    assert advice(Status.FAILED, status, str(code))


@pytest.mark.parametrize("entry", LOCAL_ENTRIES)
def test_our_own_codes_carry_advice(entry: ErrorCode) -> None:
    assert advice(Status.INVALID, None, entry.code) == entry.advice != ""


@pytest.mark.parametrize("status", sorted(SUCCESSES))
def test_a_row_that_ended_well_needs_no_advice(status: Status) -> None:
    assert advice(status, 202, "") == ""


def test_a_row_that_was_not_sent_gets_the_advice_of_the_answer_that_ended_it() -> None:
    assert advice(Status.FAILED, None, "20002") == advice(Status.FAILED, 403, "20002") != ""


def test_an_unknown_row_that_was_ambiguously_refused_gets_the_advice_to_check_later() -> None:
    assert "in a few minutes whether it did, with: bulkreact verify" in advice(Status.UNKNOWN, 400, "900337")


def test_an_unknown_row_is_explained_the_same_whatever_the_last_answer_was() -> None:
    assert "same request id" in advice(Status.UNKNOWN, 503, "http-503")
