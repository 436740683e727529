"""What a fate makes of a subscription: scripts of answers to its updates and readings, and what it is from the beginning."""

from dataclasses import dataclass

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.subscription_json import Profile

LICENCE = Profile()
# A success without a body is answered with the resource as it is then.
ACCEPTED = ScriptedAnswer(200, effect=True)
PARENT_INACTIVE = refused(409, "27009")


@dataclass(frozen=True, slots=True)
class SubscriptionScenario:
    """A script of answers to its updates; after it they are accepted, or the last answer is given for ever.

    ``restorations`` is the same for updates that switch auto-renew on again, ``reads`` for readings. Without
    ``active_within`` (seconds) it is active after the simulator's own delay. ``parent`` are the last digits of the
    parent's id, None without one; ``lag`` is how long it still takes its parent, or an Azure subscription takes this
    plan, for inactive. ``meddled`` says that somebody else changes the resource with each answer of the script.
    """

    words: str
    acts: tuple[ScriptedAnswer, ...] = ()
    forever: bool = False
    forgets: bool = False
    modified_elsewhere: bool = False
    restorations: tuple[ScriptedAnswer, ...] = ()
    restorations_forever: bool = False
    reads: tuple[ScriptedAnswer, ...] = ()
    reads_forever: bool = False
    active_within: float | None = 0
    parent: int | None = None
    lag: float = 0
    operation_gone: bool = False
    profile: Profile = LICENCE

    def act(self, call: int) -> ScriptedAnswer:
        """Return the answer to the n-th reactivation, counted from 0."""
        return _scripted(self.acts, call, forever=self.forever) or ACCEPTED

    def restoration(self, call: int) -> ScriptedAnswer:
        """Return the answer to the n-th time that auto-renew is to be switched on, counted from 0."""
        return _scripted(self.restorations, call, forever=self.restorations_forever) or ACCEPTED

    def hindrance(self, reading: int) -> ScriptedAnswer | None:
        """Return what the n-th reading meets, counted from 0, or None when nothing is in its way."""
        return _scripted(self.reads, reading, forever=self.reads_forever)


def _scripted(acts: tuple[ScriptedAnswer, ...], number: int, *, forever: bool) -> ScriptedAnswer | None:
    if number < len(acts):
        return acts[number]
    return acts[-1] if forever else None
