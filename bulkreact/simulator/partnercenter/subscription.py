"""One simulated subscription: how its scenario answers the updates and reads it has met so far."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refused
from bulkreact.simulator.partnercenter.json_members import deviation, replaced, value
from bulkreact.simulator.partnercenter.scenario import Resource
from bulkreact.simulator.partnercenter.subscription_json import (
    Profile,
    SubscriptionKind,
    SubscriptionState,
    encoded,
    etag,
    resource_text,
)
from bulkreact.simulator.partnercenter.subscription_scenarios import ACCEPTED, SubscriptionScenario


@dataclass(slots=True, kw_only=True)
class SimulatedSubscription(Resource[SubscriptionScenario]):
    """A subscription, and every text of it that the client was ``served`` since it last read it."""

    customer_id: str
    id: str
    profile: Profile
    auto_renew: bool
    auto_renew_calls: int = 0
    version: int = 1
    quantity: int = 7
    has_next_term: bool = True
    served: tuple[str, ...] = ()

    @property
    def operation_id(self) -> str:
        """Return the id of the operation that an acceptance may name."""
        return str(uuid5(NAMESPACE_URL, f"{self.customer_id}/{self.id}"))

    @property
    def listed(self) -> bool:
        """Tell whether lists show it."""
        return not self.scenario.reads.forever

    def active_since(self, delay: float) -> float | None:
        """Return the moment from which on it is active, None when nothing has made it so yet."""
        if self.profile.status == "active":
            return float("-inf")
        within = delay if self.scenario.active_within is None else self.scenario.active_within
        return None if self.accepted_at is None else self.accepted_at + within

    def status(self, now: float, delay: float) -> str:
        """Return the word that a reading finds; ``delay`` is from accepted to active, where the fate has none."""
        since = self.active_since(delay)
        return "active" if since is not None and since <= now else self.profile.status

    def text(self, status: str, today: datetime) -> str:
        """Return the whole resource with a status."""
        state = SubscriptionState(
            status, self.auto_renew, self.quantity, self.version, self.activation_jitter, self.has_next_term
        )
        return resource_text(self.profile, (self.customer_id, self.id), state, today)

    def serve(self, text: str, *, read: bool) -> bytes:
        """Return the bytes of a resource, and keep in mind what a client knows now."""
        self.served = (text,) if read else (*self.served, text)
        return encoded(text, self.profile.spelling)

    def next_answer(self, *, active: bool) -> ScriptedAnswer:
        """Count a reactivation, and return what the scenario answers."""
        answer = self.scenario.writes.answer(self.writes) or ACCEPTED
        self.writes += 1
        if (active or self.accepted_at is not None) and (self.scenario.forgets or answer is ACCEPTED):
            return refused(400, "800040") if active else refused(409, "800082")
        if answer is ACCEPTED and self.profile.status not in {"suspended", "active"}:
            return refused(400, "800096")
        if self.scenario.modified_elsewhere and answer is not ACCEPTED:
            self.version += 1
            self.quantity += 1
        return answer

    def next_auto_renew_answer(self) -> ScriptedAnswer:
        """Count an attempt to switch auto-renew on, and return what the scenario answers."""
        self.auto_renew_calls += 1
        return self.scenario.auto_renew.answer(self.auto_renew_calls - 1) or ACCEPTED

    def matches_etag(self, if_match: str | None) -> bool:
        """Tell whether an If-Match header fits what it is now; without an etag there is nothing to fit."""
        if self.profile.kind is not SubscriptionKind.LEGACY:
            return True
        return if_match is not None and if_match.strip('"') == etag(self.id, self.version)

    def violations(self, body: bytes, if_match: str | None, content_type: str) -> list[str]:
        """Return what is wrong with an update; only the status, or then auto-renew, may differ from what was served."""
        found = []
        if content_type.partition(";")[0].strip().lower() != "application/json":
            found.append("its Content-Type is not application/json")
        if self.profile.kind is not SubscriptionKind.LEGACY and if_match is not None:
            found.append("If-Match, but it has no etag")
        if self.profile.kind is SubscriptionKind.LEGACY and if_match is None:
            found.append("If-Match is missing")
        if if_match is not None and not (if_match.startswith('"') and if_match.endswith('"')):
            found.append("If-Match is not quoted")
        deviations = [deviation(_updated(text), body) for text in self.served] or ["it was never read"]
        if body in [text.encode() for text in self.served]:
            found.append("changes nothing")
        elif all(deviations):
            found.append(deviations[-1])
        return found

    def drops_members(self, body: str) -> bool:
        """Tell whether a body has fewer members than what was served."""
        return bool(self.served) and "lost " in deviation(_updated(self.served[-1]), body.encode())

    def with_location(self, act: ScriptedAnswer, origin: str, elsewhere: str) -> ScriptedAnswer:
        """Return an answer with the ids and addresses put into its Location."""
        if "Location" not in act.headers:
            return act
        location = act.headers["Location"].format(
            customer=self.customer_id,
            subscription=self.id,
            operation=self.operation_id,
            origin=origin,
            elsewhere=elsewhere,
        )
        return replace(act, headers={**act.headers, "Location": location})


def _updated(text: str) -> str:
    """Return what was served as the only proper update: its status active, or else auto-renew on."""
    if str(value(text, "status")).lower() != "active":
        return replaced(text, "status", '"active"')
    return replaced(text, "autoRenewEnabled", "true")
