"""Finds out whether a 503 says that the service is down, or, as some gateways do, that calls come too fast. No I/O."""

from collections import deque

# A 503 so soon after an accepted call is a throttle, once it was found out that there is one.
SOON_SECONDS = 10.0
# So many 503 among other answers, within that time, and no other trouble.
_REFUSALS_TO_DETECT = 5
# With so many pauses, and fewer answers than this between two of them, waiting does not help: it is no throttle.
_PAUSES_TO_RULE_OUT = 12
_FEWEST_ANSWERS_PER_PAUSE = 10


class HiddenThrottle:
    """Decides about each 503; ``customers`` is how many must be affected.

    | 503                                                                | throttle                      |
    |--------------------------------------------------------------------|-------------------------------|
    | within ten seconds of the accepted probe that ended an outage      | yes, there is one             |
    | the fifth of several customers in ten seconds, others are answered | yes, there is one             |
    | later, within ten seconds of an answer                             | yes, if there is one          |
    | after many pauses that did not help                                | no, and there is none         |
    | any other                                                          | no                            |
    """

    def __init__(self, *, customers: int) -> None:
        self._customers = customers
        self._refusals: deque[tuple[float, str]] = deque()
        self._probe_accepted_at = float("-inf")
        self._answered_at = float("-inf")
        self._is_found = False
        self._is_ruled_out = False
        self._pauses = 0
        self._paused_at = float("-inf")
        self._answers = 0

    def record_answer(self, now: float, *, ends_outage: bool) -> None:
        """Record an answer of the service; ``ends_outage``: to an accepted probe."""
        self._answered_at = now
        self._answers += 1
        if ends_outage:
            self._probe_accepted_at = now

    def record_other_trouble(self) -> None:
        """Record trouble that no throttle causes."""
        self._refusals.clear()

    def is_throttle(self, customer_id: str, *, started: float, finished: float) -> bool:
        """Record a 503 and return whether it is a throttle."""
        if self._is_ruled_out:
            return False
        if not self._is_found:
            self._is_found = self._detect(customer_id, finished)
            self._answers = 0
        if not self._is_found or finished - self._answered_at > SOON_SECONDS:
            return False
        if started >= self._paused_at:
            self._pauses, self._paused_at = self._pauses + 1, finished
        is_useless = self._answers < self._pauses * _FEWEST_ANSWERS_PER_PAUSE
        self._is_ruled_out = self._pauses >= _PAUSES_TO_RULE_OUT and is_useless
        return not self._is_ruled_out

    def _detect(self, customer_id: str, now: float) -> bool:
        if now - self._probe_accepted_at <= SOON_SECONDS:
            return True
        self._refusals.append((now, customer_id))
        while self._refusals[0][0] < now - SOON_SECONDS:
            self._refusals.popleft()
        affected = {customer for _, customer in self._refusals}
        answered = self._answered_at >= self._refusals[0][0]
        return answered and len(self._refusals) >= _REFUSALS_TO_DETECT and len(affected) >= self._customers
