"""A copy of a report links to the copies beside it, and to nothing else."""

import os

import pytest

from bulkreact.inbox.report_links import link_to_copies

COPIES = {"results.csv": 'März & "Co".1.results.csv', "failed.xlsx": os.fsdecode(b"caf\xe9.1.failed.xlsx")}


@pytest.mark.parametrize(
    ("link", "copied"),
    [
        ('<a href="results.csv">', '<a href="M%C3%A4rz%20%26%20%22Co%22.1.results.csv">'),
        ('<a class="x" href="failed.xlsx">', '<a class="x" href="caf%E9.1.failed.xlsx">'),
        ('<a href="summary.json">', "<a>"),
        ('<a href="#rows">', '<a href="#rows">'),
        ('<a href="https://example.com/results.csv">', '<a href="https://example.com/results.csv">'),
        ("<td> href=&#34;results.csv&#34;", "<td> href=&#34;results.csv&#34;"),
    ],
)
def test_links_lead_to_copies(link: str, copied: str) -> None:
    assert link_to_copies(link.encode(), COPIES) == copied.encode()
