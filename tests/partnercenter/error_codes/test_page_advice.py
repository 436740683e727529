"""Advice for people without a terminal."""

import re

import pytest

from bulkreact.models import AutoRenew
from bulkreact.partnercenter.error_codes.local_codes import CHECK_LATER, GATEWAY_PAGE
from bulkreact.partnercenter.error_codes.lookup import all_entries, auto_renew_advice
from bulkreact.partnercenter.error_codes.page_advice import advise_here
from bulkreact.partnercenter.error_codes.service_codes import DEFAULT_BY_CLASS

# Those of the token service are for whoever signs in at a terminal.
ADVICE = {
    *(entry.advice for entry in all_entries() if not entry.code.startswith("AADSTS")),
    *(entry.advice for entry in DEFAULT_BY_CLASS.values()),
    *map(auto_renew_advice, AutoRenew),
    CHECK_LATER,
    GATEWAY_PAGE.advice,
}
TERMINAL = re.compile(r"bulkreact|--\w|same command|\b[Rr]un (failed\.|that file)|continue (it|the run)|\$ ")


def test_no_advice_on_the_page_is_for_a_terminal() -> None:
    assert len(ADVICE) > 30
    assert [advice for advice in map(advise_here, ADVICE) if TERMINAL.search(advice)] == []


@pytest.mark.parametrize(
    ("advice", "expected"),
    [
        ("Later: bulkreact retry, or run failed.csv.", "Later: press Retry."),
        ("Correct it in failed.xlsx and run that file.", "Correct it in failed.xlsx and upload that file."),
        ("Sign in, then run the same command again: it continues the run.", "Sign in, then press Continue."),
        ("Continue the run with: bulkreact resume", "Press Continue."),
        ("Look again later with: bulkreact verify.", "Look again later with the button Look again."),
        ("Sell the customer a new one.", "Sell the customer a new one."),
    ],
)
def test_commands_become_buttons(advice: str, expected: str) -> None:
    assert advise_here(advice) == expected
