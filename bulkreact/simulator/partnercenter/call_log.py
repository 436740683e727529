"""The log of the simulated service, for checking clients."""

from msgspec import Struct, field


class CallLog(Struct):
    """Calls, effects and violations, each in chronological order.

    A call's ``answer`` is its HTTP status, ``dropped``, or empty while it is being answered; its ``effect`` is ``yes``
    if this call itself took effect.
    """

    calls: list[dict[str, object]] = field(default_factory=list)
    effects: list[dict[str, str]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
