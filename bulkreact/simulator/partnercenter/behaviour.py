"""The settings of the simulated service: delays, limits, faults, and the number of customers."""

from enum import StrEnum

from msgspec import Struct

from bulkreact.simulator.partnercenter.outages import ScheduledOutage


class Paging(StrEnum):
    """How the list of customers goes on after a page: with a link and a token, with the token alone, or not at all."""

    LINKS = "links"
    TOKENS = "tokens"
    CUT = "cut"


class Behaviour(Struct, frozen=True):
    """The settings of the simulated service; limits are calls per window, 0 for none, times are seconds.

    An accepted target becomes active after ``activation_delay``, plus or minus at most ``activation_spread``.
    The list has ``customers``, and after them ``broken_customers`` whose subscription list returns errors first; its
    pages have at most ``page_size`` of them.
    """

    activation_delay: float = 2.0
    activation_spread: float = 0.0
    partner_limit: int = 0
    customer_limit: int = 0
    window: float = 60.0
    fault_share: float = 0.0
    seed: int = 0
    customers: int = 3
    broken_customers: int = 0
    page_size: int = 500
    paging: Paging = Paging.LINKS
    outages: tuple[ScheduledOutage, ...] = ()

    def delay(self, jitter: float) -> float:
        """Return the time from accepted to active at a position in the spread, from 0 (soonest) to 1."""
        soonest = max(0.0, self.activation_delay - self.activation_spread)
        return soonest + jitter * (self.activation_delay + self.activation_spread - soonest)
