"""How many calls may be in flight: what the partner turned out to allow at the same time. No I/O."""

from math import inf

# Half of the calls in flight, but not fewer, where the rate is to blame.
_FEWEST = 3
# After so many answers beside as many calls as allowed one more is tried, and four times as many after it was refused.
_ANSWERS_PER_CALL = 20
_PATIENCE = 4


class InFlightLimit:
    """The limit: infinite until the first throttle, then lowered, and raised by one with every so many answers.

    | refused beside                                      | to blame       | then                             |
    |-----------------------------------------------------|----------------|----------------------------------|
    | more calls than any call was answered beside before | their number   | no more than these at a time     |
    | no other, or as many as were possible before        | the rate       | half as many as before           |
    """

    def __init__(self) -> None:
        self.calls = inf
        self._answered_beside = 0
        self._answers = 0
        self._answers_per_call = _ANSWERS_PER_CALL

    @property
    def is_lowered(self) -> bool:
        """Return whether there is a limit."""
        return self.calls < inf

    def lower(self, beside: int, concurrency: int) -> bool:
        """Lower the limit after a refusal beside so many other calls; return whether their number was to blame."""
        is_to_blame = beside > self._answered_beside
        if is_to_blame:
            self.calls = beside
            self._answers_per_call *= _PATIENCE
        else:
            self.calls = max(_FEWEST, min(self.calls, concurrency) // 2)
        self._answers = 0
        return is_to_blame

    def cap(self, beside: int) -> None:
        """Lower the limit to what another refusal at the same time shows."""
        if beside > self._answered_beside:
            self.calls = min(self.calls, beside)

    def record_answer(self, beside: int) -> bool:
        """Record an answer to a call beside so many others; return whether it raised the limit."""
        self._answered_beside = max(self._answered_beside, beside)
        self._answers += beside + 1 >= self.calls
        if self._answers < self._answers_per_call:
            return False
        self.calls += 1
        self._answers = 0
        return True
