"""When a gateway that answers in the service's place stops the run. No I/O."""

# This many successive pages are a fault of the way, not of the rows.
PAGES_TO_STOP = 5


class GatewayBreaker:
    """Counts successive pages of a gateway, of more than one customer if the phase has more."""

    def __init__(self, *, customers: int) -> None:
        self._customers_to_stop = min(customers, 2)
        self._pages = 0
        self._customers: set[str] = set()

    def record_page(self, customer_id: str) -> bool:
        """Record a page in answer to a call; return whether the run must stop."""
        self._pages += 1
        self._customers.add(customer_id)
        return self._pages >= PAGES_TO_STOP and len(self._customers) >= self._customers_to_stop

    def record_answer(self) -> None:
        """Record an answer of the service: it ends the series."""
        self._pages = 0
        self._customers.clear()
