"""The facts of a run, for people, line by line."""

from collections.abc import Mapping

from bulkreact.batch.environment import StopReason
from bulkreact.batch.journal.metadata import RunMetadata

Fact = tuple[str, str]


def about(
    facts: RunMetadata,
    ending: StopReason,
    *,
    rows: int,
    finished_at: str,
    calls: Mapping[str, int],
    pace: Mapping[str, float | None],
) -> list[Fact]:
    """Return what is fixed about a run and how it ended; what is not known is left out."""
    target = "the simulator" if facts.simulated else f"{facts.base_url}/{facts.api_version}"
    lines: list[Fact | None] = [
        ("Run", facts.id),
        ("Command", facts.command),
        ("Retry of", facts.retry_of) if facts.retry_of else None,
        ("State", ending.state.value),
        ("Reason", ending.reason) if ending.reason else None,
        ("Started", facts.created_at),
        ("Finished", finished_at),
        ("Input", facts.input_name),
        ("Rows", f"{rows:,}"),
        ("SHA-256 of the input", facts.input_sha256),
        ("Target", target),
        ("Tenant", facts.tenant_id) if facts.tenant_id else None,
        ("Operator", facts.operator),
        ("bulkreact", facts.version),
        ("Calls", f"{calls['sent']:,} sent, {calls['retried']:,} repeated, {calls['throttled']:,} throttled"),
        ("Pace", _pace(pace)),
    ]
    return [line for line in lines if line]


def _pace(pace: Mapping[str, float | None]) -> str:
    achieved, configured = pace["achieved_per_minute"], pace["configured_per_minute"]
    limit = f"at most {configured:g}/min" if configured else "not limited"
    return limit if achieved is None else f"{achieved:g}/min, {limit}"
