"""The machine's clock is set back or forward while rows wait: calls are made as if it had not been, in virtual time."""

from datetime import timedelta
from pathlib import Path

import pytest

from bulkreact.models import Response
from bulkreact.settings import Limits, Threshold, Verification
from bulkreact.simulator.partnercenter.service import Behaviour
from tests.scenarios.test_subscription_updates import subscription_target
from tests.support.ids import guid, scenario_id, target
from tests.support.marks import mostly_soak
from tests.support.virtual_run import VirtualRun

HOUR = timedelta(hours=1)
PLAN = 7002
ROWS = [
    subscription_target(7001, 9),
    *(target(scenario_id(tail, tail), tail % 7) for tail in (429, 3429, 503, 1599, 900337, 800082)),
    *(target(guid(number), number % 7) for number in range(40)),
]
LIMITS = Limits(
    calls_per_second=2,
    halt=Threshold(),
    verify=Verification(after=20, every=15, timeout=90),
    waiting=Verification(after=5, every=5, timeout=60),
)
# In a throttle; from the beginning; in the outage; in the watch.
TIMES = [4.0, 0.0, 40.0, 200.0]


def calls(folder: Path, *, change: timedelta, at: float) -> list[tuple[float, str, str, str]]:
    """Return the calls of a run that is throttled, meets an outage and watches what it has sent."""
    virtual_run = VirtualRun(folder, rules=Behaviour(partner_limit=20, window=12, activation_delay=30))
    virtual_run.create_journal(ROWS)
    virtual_run.clock_error = lambda now: change if now >= at else timedelta()
    virtual_run.answer = lambda sent: Response(503, "", {}, b"") if 30 <= sent.at < 70 else None
    virtual_run.work(LIMITS)
    return [(round(sent.at, 3), sent.method, sent.path, sent.request_id) for sent in virtual_run.sent]


@pytest.mark.parametrize("change", [-HOUR, HOUR])
@pytest.mark.parametrize("at", mostly_soak(TIMES, plain=2))
def test_setting_the_clock_changes_no_call(tmp_path: Path, change: timedelta, at: float) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    assert calls(tmp_path / "wrong", change=change, at=at) == calls(tmp_path / "right", change=timedelta(), at=0)
