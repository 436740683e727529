"""The pace of a run against the limiters of gateways, in virtual time: how long it takes, and how often it is refused."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkreact.models import Status
from bulkreact.settings import Limits
from tests.support.ids import guid, target
from tests.support.limiters import Bucket, FixedWindow, Limiter, OpenCalls, SlidingWindow
from tests.support.marks import mostly_soak
from tests.support.virtual_run import VirtualRun

ROWS = 250
# Calls a second.
LIMIT = 10.0
STEADY: dict[str, Callable[[], Limiter]] = {
    "a window of a second": FixedWindow,
    "a window of ten": lambda: FixedWindow(calls=100, seconds=10),
    "a sliding window": SlidingWindow,
    "a bucket with a burst": lambda: Bucket(burst=20),
}
STRICT: dict[str, Callable[[], Limiter]] = {"a bucket without a burst": Bucket, "two open calls": OpenCalls}
# Two at a time, of a twentieth of a second each.
OPEN_CALLS_LIMIT = 40.0
RATES = pytest.mark.parametrize("share", mostly_soak([0.5, None, 1.05, 1.2, 4.0], plain=2))
CUSTOMERS = pytest.mark.parametrize("customers", mostly_soak([30, 1]))


def run_against(folder: Path, limiter: Limiter, share: float | None, customers: int) -> tuple[float, int]:
    """Run at a share of what a limiter allows; return the time over the ideal one, and the late refusals."""
    limit = OPEN_CALLS_LIMIT if isinstance(limiter, OpenCalls) else LIMIT
    rate = share * limit if share else None
    virtual_run = VirtualRun(folder)
    virtual_run.create_journal([target(guid(number), number % customers) for number in range(ROWS)])
    limiter.attach(virtual_run)
    virtual_run.work(Limits(calls_per_second=rate))
    assert Counter(row.outcome.status for row in virtual_run.rows()) == {Status.ACCEPTED: ROWS}
    ideal = (ROWS - (limiter.burst if isinstance(limiter, Bucket) else 0)) / min(limit, rate or limit) + 3
    return virtual_run.now / ideal, sum(time > 1 for time in limiter.refused)


@RATES
@CUSTOMERS
@pytest.mark.parametrize(("names_wait", "bar"), [(True, 1.15), (False, 1.5)])
@pytest.mark.parametrize("limiter", STEADY)
def test_windows_and_buckets(
    tmp_path: Path, limiter: str, names_wait: bool, bar: float, share: float | None, customers: int
) -> None:
    gateway = STEADY[limiter]()
    gateway.names_wait = names_wait
    ratio, late = run_against(tmp_path, gateway, share, customers)
    assert ratio <= bar
    assert late <= 0.03 * ROWS + 2


@RATES
@CUSTOMERS
@pytest.mark.parametrize(("names_wait", "bar"), [(True, 1.5), (False, 2.0)])
@pytest.mark.parametrize("limiter", STRICT)
def test_limiters_that_refuse_the_second_call(
    tmp_path: Path, limiter: str, names_wait: bool, bar: float, share: float | None, customers: int
) -> None:
    gateway = STRICT[limiter]()
    gateway.names_wait = names_wait
    ratio, late = run_against(tmp_path, gateway, share, customers)
    assert ratio <= bar
    assert late <= 0.05 * ROWS + 2


@RATES
@CUSTOMERS
@pytest.mark.parametrize("limiter", [*STEADY, *STRICT])
def test_a_503_that_is_a_throttle_fails_no_row(
    tmp_path: Path, limiter: str, share: float | None, customers: int
) -> None:
    gateway = (STEADY | STRICT)[limiter]()
    gateway.status = 503
    ratio, late = run_against(tmp_path, gateway, share, customers)
    assert ratio <= 2
    assert late <= 0.1 * ROWS
