"""How the simulated service behaves: delays, limits, faults, and how many customers there are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the simulated service behaves; limits are calls per window, 0 for none, times are seconds.

    What is accepted becomes active in its own time, off ``activation_delay`` by ``activation_spread`` at most.
    The list of customers has so many ``customers``, and after them ``broken_customers`` that are hard to read.
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

    def delay(self, share: float) -> float:
        """Return the time from accepted to active at a place in the spread, from 0 (soonest) to 1."""
        soonest = max(0.0, self.activation_delay - self.activation_spread)
        return soonest + share * (self.activation_delay + self.activation_spread - soonest)
