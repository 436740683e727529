"""Time as the program records it."""

from bulkreact.timestamps import seconds_between


def test_there_is_no_time_between_two_clocks_that_disagree() -> None:
    earlier, later = "2026-03-01T11:00:00.000Z", "2026-03-01T12:00:00.500Z"
    assert seconds_between(earlier, later) == 3600.5
    assert seconds_between(later, earlier) == 0
