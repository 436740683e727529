"""The rate of calls: what the partner turned out to allow, found by bisection, and slowly more. No I/O; seconds."""

from math import floor, inf, sqrt

FLOOR_PER_SECOND = 0.1
# A rate that is not throttled for so long is allowed.
TRIAL_SECONDS = 1.5
# Once the limit is known to this factor, the rate creeps up every CREEP_SECONDS: by CREEP, then by twice as much, and so on.
KNOWN_WITHIN = 1.12
CREEP = 0.01
CREEP_SECONDS = 8.0
# What was allowed on average, with a margin for windows that do not begin when the pause ends.
_MARGIN = 0.95
# A rate that was refused is too high by this factor, when a lower one is not known to be allowed.
_TOO_HIGH = 1.06
# Of the first window's limit, as so many answers show it: the rate that is tried, and the one that is taken as refused.
_OF_LIMIT, _ABOVE_LIMIT = 0.97, 1.04
_ANSWERS_THAT_SHOW_IT = 10
# Taken as allowed where a run begins with a refusal, until more is known.
_UNKNOWN_PER_SECOND = 1.0
_MODERATE_PER_SECOND = 8.0
# While no rate is known to be refused, it doubles every second.
_STEP = 2.0
_STEP_SECONDS = 1.0


class AdaptiveRate:
    """Decides the rate, in calls per second; infinite until the first throttle if there is no ceiling.

    ``low`` is known to be allowed and ``high`` to be refused. What the partner allowed on average from one pause to the
    next, the pause included, is a lower bound whatever way it counts: by windows, by a bucket, or by open calls. The first
    window begins with the first call and, as windows do, lasts whole seconds: what it allows is the limit itself.
    """

    def __init__(self, ceiling: float | None) -> None:
        self.ceiling = inf if ceiling is None else ceiling
        self.rate = self.ceiling
        self._low = 0.0
        self._high = inf
        self._answered = 0
        self._cycle_began: float | None = None
        self._first_window = 0
        self._trial_began = -inf
        self._is_lowered = False
        self._creep = CREEP

    def slow_down(self, now: float, retry_after: float | None = None) -> None:
        """Note that the partner was throttled: the present rate is too high. It applies until ``resume``."""
        if not self._low and retry_after and self._cycle_began is not None:
            self._first_window = floor(now - self._cycle_began + retry_after)
        self._high = min(self.rate, self.ceiling)
        self._creep = CREEP
        self._is_lowered = True

    def start_again(self) -> None:
        """Note that the partner was throttled, but hardly because of the rate: a fraction of it applies next."""
        self._is_lowered = True
        self._low = max(self._low, min(self.rate, self.ceiling) / 8 if self.rate < inf else _MODERATE_PER_SECOND)

    def begin_again(self, now: float) -> None:
        """Begin to count answers: what was before an outage says nothing of what is allowed."""
        self._cycle_began, self._answered = now, 0

    def resume(self, now: float) -> None:
        """Lower the rate when a call is accepted after a pause, if it was too high."""
        if not self._is_lowered:
            self._cycle_began, self._answered = now, 0
            return
        self._is_lowered = False
        began = now if self._cycle_began is None else self._cycle_began
        average = _MARGIN * self._answered / max(now - began, 1e-3)
        # What was refused although it had been allowed says that less is allowed now.
        low = self._low if self._low < self._high else 0.0
        if self._first_window and self._answered >= _ANSWERS_THAT_SHOW_IT:
            limit = self._answered / self._first_window
            average, self._high = max(average, _OF_LIMIT * limit), min(self._high, _ABOVE_LIMIT * limit)
        self._first_window = 0
        if not (low or self._answered):
            # Nothing is known of what is allowed: try half, or a moderate rate.
            low = min(self._high / 4, _UNKNOWN_PER_SECOND)
        self._low = max(min(max(low, average), self._high / _TOO_HIGH), FLOOR_PER_SECOND)
        self._cycle_began, self._answered = now, 0
        self._set(self._low if self._high == inf or self._is_known else self._next_trial(), now)

    def speed_up(self, now: float) -> None:
        """Raise the rate after a non-429 answer if it was allowed for long enough."""
        if self._cycle_began is None:
            self._cycle_began = now
        self._answered += 1
        seconds = CREEP_SECONDS if self._is_known else _STEP_SECONDS if self._high == inf else TRIAL_SECONDS
        if self.rate < self.ceiling and now - self._trial_began >= seconds:
            self._low = self.rate
            if self._is_known:
                # It may have been raised: what was refused long ago says less and less.
                self._high = max(self._high, self._low * (1 + self._creep))
                self._creep = min(2 * self._creep, 1.0)
            self._set(self._next_trial(), now)

    @property
    def was_throttled(self) -> bool:
        """Return whether the rate was lowered at any time."""
        return self._low > 0

    @property
    def _is_known(self) -> bool:
        return self._high <= self._low * KNOWN_WITHIN

    def _next_trial(self) -> float:
        if self._is_known:
            return self._low * (1 + self._creep)
        return self._low * _STEP if self._high == inf else sqrt(self._low * self._high)

    def _set(self, rate: float, now: float) -> None:
        self.rate = min(self.ceiling, max(FLOOR_PER_SECOND, rate))
        self._trial_began = now
