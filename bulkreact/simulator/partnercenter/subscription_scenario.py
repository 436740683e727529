"""What a scenario of a subscription consists of."""

from bulkreact.simulator.partnercenter.scenario import NO_SCRIPT, Scenario, Script
from bulkreact.simulator.partnercenter.subscription_json import SubscriptionProfile

LICENCE = SubscriptionProfile()


class SubscriptionScenario(Scenario, frozen=True):
    """A scenario of a subscription, by default active as soon as it is accepted.

    ``auto_renew`` is the script for updates that switch auto-renew on again. ``parent`` are the last digits of the
    parent's id, None without one; for ``parent_delay`` seconds more its parent (or for Azure subscriptions this plan)
    counts as inactive. ``modified_elsewhere``: another client changes the resource with each answer of the script.
    """

    active_within: float | None = 0
    auto_renew: Script = NO_SCRIPT
    modified_elsewhere: bool = False
    parent: int | None = None
    parent_delay: float = 0
    operation_gone: bool = False
    profile: SubscriptionProfile = LICENCE
