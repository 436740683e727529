"""How an outage is described to people."""

from bulkreact.batch.environment import OutageRecord
from bulkreact.wording import plural


def describe_outage(outage: OutageRecord) -> str:
    """Return what is known of an outage while the run goes on."""
    if outage.ended_at:
        return f"{summarize_outage(outage)}. The run goes on."
    reason = f"Partner Center is down since {clock(outage.since)} ({outage.cause})"
    if not outage.next_probe_at:
        return f"{reason}, after {plural(outage.probes, 'probe')}."
    sentences = [reason, f"All calls wait; the next probe is at {clock(outage.next_probe_at)}"]
    if outage.of_one_customer:
        sentences.append("The run has no other customer that could show whether it is this one alone")
    if outage.gives_up_at:
        sentences.append(f"If it lasts until {clock(outage.gives_up_at)}, the run stops and can be continued")
        sentences.append("Ctrl-C stops it before")
    return f"{'. '.join(sentences)}."


def summarize_outage(outage: OutageRecord) -> str:
    """Return from when until when the service was down, and how often it was probed."""
    until = f"to {clock(outage.ended_at)}" if outage.ended_at else "on"
    return f"Partner Center was unreachable from {clock(outage.since)} {until}, {plural(outage.probes, 'probe')}"


def clock(time: str) -> str:
    """Return the time of day of a UTC time, to the second."""
    return f"{time[11:19]} UTC"
