"""Scheduled outages of the simulator: when it is down, what it answers then, and how they are written."""

import click
import pytest

from bulkreact.cli.commands.simulator import OUTAGE
from bulkreact.simulator.partnercenter.outages import OutageKind, ScheduledOutage, answer_in_outage
from bulkreact.simulator.partnercenter.service import Behaviour, PartnerCenter

COMMAND = click.Command("simulator")


def read(text: str) -> ScheduledOutage:
    outage = OUTAGE.convert(text, None, click.Context(COMMAND))
    assert isinstance(outage, ScheduledOutage)
    return outage


@pytest.mark.parametrize(
    ("text", "outage"),
    [
        ("20s..50s:503", ScheduledOutage(20, 50, OutageKind.UNAVAILABLE)),
        ("20..1m:503:10s", ScheduledOutage(20, 60, OutageKind.UNAVAILABLE, 10)),
        ("0s..5s:refused", ScheduledOutage(0, 5, OutageKind.REFUSED)),
        ("1s..2s:no-answer", ScheduledOutage(1, 2, OutageKind.NO_ANSWER)),
    ],
)
def test_an_outage_is_written_with_its_times_and_its_kind(text: str, outage: ScheduledOutage) -> None:
    assert read(text) == outage


@pytest.mark.parametrize("text", ["", "503", "20s:503", "20s..50s", "20s..50s:418", "20s..50s:503:soon", "a..b:502"])
def test_what_cannot_be_read_is_shown_how_to_write(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write it like 20s\.\.50s:503"):
        read(text)


@pytest.mark.parametrize(("now", "is_down"), [(19.9, False), (20.0, True), (49.9, True), (50.0, False)])
def test_it_is_down_from_the_first_time_until_the_second(now: float, is_down: bool) -> None:
    assert (answer_in_outage([read("20s..50s:503")], now) is not None) is is_down


def test_the_times_count_from_the_start_of_the_service() -> None:
    clock = iter([1000.0, 1019.0, 1020.0])
    service = PartnerCenter(Behaviour(outages=(read("20s..50s:503:7s"),)), lambda: next(clock))
    assert service.outage() is None
    answer = service.outage()
    assert answer
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert b"<title>503 from the gateway</title>" in answer.body


@pytest.mark.parametrize("kind", ["502", "503", "504"])
def test_a_gateway_answers_in_html_without_headers_of_partner_center(kind: str) -> None:
    answer = read(f"0..1:{kind}").answer()
    assert (answer.status, answer.from_gateway, answer.drop) == (int(kind), True, False)
    assert answer.headers == {"Content-Type": "text/html"}


@pytest.mark.parametrize(("kind", "seconds"), [("reset", 0), ("refused", 0), ("no-answer", 3600)])
def test_a_connection_is_cut_at_once_or_after_a_time_without_an_answer(kind: str, seconds: float) -> None:
    answer = read(f"0..1:{kind}").answer()
    assert (answer.drop, answer.delay) == (True, seconds)
