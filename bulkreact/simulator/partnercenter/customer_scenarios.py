"""What happens to the list of a customer's subscriptions, chosen by the digits the customer's id ends with."""

from dataclasses import dataclass

from bulkreact.simulator.partnercenter.answers import HTML, HTML_PAGE, Act, refused
from bulkreact.simulator.partnercenter.entitlement_scenarios import FATES


@dataclass(frozen=True, slots=True)
class CustomerFate:
    """A script of answers; after it the list is given, or the last answer for ever."""

    words: str
    acts: tuple[Act, ...]
    forever: bool = False

    def hindrance(self, reading: int) -> Act | None:
        """Return what the n-th reading meets, counted from 0, or None when nothing is in its way."""
        if reading < len(self.acts):
            return self.acts[reading]
        return self.acts[-1] if self.forever else None


CUSTOMER_FATES: dict[int, CustomerFate] = {
    20002: CustomerFate("403, code 20002, for ever", (refused(403, "20002"),), forever=True),
    900159: CustomerFate("403, code 900159, for ever", (refused(403, "900159"),), forever=True),
    2032: CustomerFate("403, code 2032, for ever", (refused(403, "2032"),), forever=True),
    404: CustomerFate("404 without a body, for ever", (Act(404),), forever=True),
    60003: CustomerFate("404, code 60003, for ever", (refused(404, "60003"),), forever=True),
    429: CustomerFate("429 with Retry-After twice, then the list", FATES[429].acts),
    1429: CustomerFate("429 with Retry-After, for ever", FATES[1429].acts, forever=True),
    500: CustomerFate("500 for ever", (Act(500),), forever=True),
    503: CustomerFate("503 twice, then the list", (Act(503), Act(503))),
    597: CustomerFate("502 with an HTML page once, then the list", (Act(502, HTML, HTML_PAGE),)),
    599: CustomerFate("the connection drops once, then the list", (Act(drop=True),)),
}


def customer_fate_of(customer_id: str) -> CustomerFate | None:
    """Return the fate that the last twelve digits of a customer id choose; most have none."""
    digits = customer_id[-12:]
    return CUSTOMER_FATES.get(int(digits)) if digits.isdigit() else None
