"""One simulated subscription: its scenario's answers to the updates and reads so far."""

from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from bulkreact.simulator.partnercenter.answers import ScriptedAnswer, refusal
from bulkreact.simulator.partnercenter.json_members import describe_deviation, replace_value, value
from bulkreact.simulator.partnercenter.scenario import Resource
from bulkreact.simulator.partnercenter.subscription_json import (
    SubscriptionKind,
    SubscriptionProfile,
    SubscriptionState,
    encode,
    etag,
    format_resource,
)
from bulkreact.simulator.partnercenter.subscription_scenario import SubscriptionScenario
from bulkreact.simulator.partnercenter.subscription_scenarios import ACCEPTED


class SimulatedSubscription(Resource[SubscriptionScenario], kw_only=True):
    """A subscription, and every text of it sent to the client (``served_texts``) since it last read it."""

    customer_id: str
    id: str
    profile: SubscriptionProfile
    auto_renew: bool
    auto_renew_calls: int = 0
    version: int = 1
    quantity: int = 7
    has_next_term: bool = True
    served_texts: tuple[str, ...] = ()

    @property
    def operation_id(self) -> str:
        """Return the id of the operation that an acceptance may name."""
        return str(uuid5(NAMESPACE_URL, f"{self.customer_id}/{self.id}"))

    @property
    def listed(self) -> bool:
        """Whether lists show it."""
        return not self.scenario.reads.is_repeated

    def active_since(self, delay: float) -> float | None:
        """Return the time since when it is active, None if it was not reactivated."""
        if self.profile.status == "active":
            return float("-inf")
        within = delay if self.scenario.active_within is None else self.scenario.active_within
        return None if self.accepted_at is None else self.accepted_at + within

    def status(self, now: float, delay: float) -> str:
        """Return the status that a read shows; ``delay`` is from accepted to active, if the scenario has none."""
        since = self.active_since(delay)
        return "active" if since is not None and since <= now else self.profile.status

    def text(self, status: str, today: datetime) -> str:
        """Return the whole resource with a status."""
        state = SubscriptionState(
            status, self.auto_renew, self.quantity, self.version, self.activation_jitter, self.has_next_term
        )
        return format_resource(self.profile, (self.customer_id, self.id), state, today)

    def render(self, text: str, *, read: bool) -> bytes:
        """Return the bytes of a resource, and remember what the client has seen."""
        self.served_texts = (text,) if read else (*self.served_texts, text)
        return encode(text, self.profile.style)

    def next_answer(self, *, active: bool) -> ScriptedAnswer:
        """Count a reactivation, and return the scenario's answer."""
        answer = self.scenario.writes.answer(self.writes) or ACCEPTED
        self.writes += 1
        if (active or self.accepted_at is not None) and (self.scenario.ignores_repeats or answer is ACCEPTED):
            return refusal(400, "800040") if active else refusal(409, "800082")
        if answer is ACCEPTED and self.profile.status not in {"suspended", "active"}:
            return refusal(400, "800096")
        if self.scenario.modified_elsewhere and answer is not ACCEPTED:
            self.version += 1
            self.quantity += 1
        return answer

    def next_auto_renew_answer(self) -> ScriptedAnswer:
        """Count an attempt to switch auto-renew on, and return the scenario's answer."""
        self.auto_renew_calls += 1
        return self.scenario.auto_renew.answer(self.auto_renew_calls - 1) or ACCEPTED

    def matches_etag(self, if_match: str | None) -> bool:
        """Return whether an If-Match header names the current etag; only legacy subscriptions have one."""
        if self.profile.kind is not SubscriptionKind.LEGACY:
            return True
        return if_match is not None and if_match.strip('"') == etag(self.id, self.version)

    def update_violations(self, body: bytes, if_match: str | None, content_type: str) -> list[str]:
        """Return what is wrong with an update: only the status, or later auto-renew, may differ from the sent text."""
        violations = []
        if content_type.partition(";")[0].strip().lower() != "application/json":
            violations.append("its Content-Type is not application/json")
        if self.profile.kind is not SubscriptionKind.LEGACY and if_match is not None:
            violations.append("If-Match, but it has no etag")
        if self.profile.kind is SubscriptionKind.LEGACY and if_match is None:
            violations.append("If-Match is missing")
        if if_match is not None and not (if_match.startswith('"') and if_match.endswith('"')):
            violations.append("If-Match is not quoted")
        deviations = [describe_deviation(_expected_update(text), body) for text in self.served_texts] or [
            "it was never read"
        ]
        if body in [text.encode() for text in self.served_texts]:
            violations.append("changes nothing")
        elif all(deviations):
            violations.append(deviations[-1])
        return violations

    def drops_members(self, body: str) -> bool:
        """Return whether a body has fewer members than the sent text."""
        return bool(self.served_texts) and "lost " in describe_deviation(
            _expected_update(self.served_texts[-1]), body.encode()
        )

    def with_location(self, answer: ScriptedAnswer, origin: str, elsewhere: str) -> ScriptedAnswer:
        """Return an answer with ids and addresses filled into its Location."""
        if "Location" not in answer.headers:
            return answer
        location = answer.headers["Location"].format(
            customer=self.customer_id,
            subscription=self.id,
            operation=self.operation_id,
            origin=origin,
            elsewhere=elsewhere,
        )
        return replace(answer, headers={**answer.headers, "Location": location})


def _expected_update(text: str) -> str:
    """Return the only correct update of a sent text: status active, or else auto-renew on."""
    if str(value(text, "status")).lower() != "active":
        return replace_value(text, "status", '"active"')
    return replace_value(text, "autoRenewEnabled", "true")
