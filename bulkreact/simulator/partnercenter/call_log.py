"""The log of what happened at the simulated service, from which clients are checked."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class CallLog:
    """Calls, effects and violations, each in the order in which they happened.

    A call's ``answer`` is its HTTP status, ``dropped``, or empty while it is being answered; its ``effect`` is ``yes``
    when this very call made what it asks for take effect.
    """

    calls: list[dict[str, object]] = field(default_factory=list)
    effects: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
