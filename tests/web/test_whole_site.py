"""On no page of the site is a text from outside more than a text, wherever it comes from."""

from pathlib import Path

import pytest

from tests.support.hostile_texts import HOSTILE
from tests.support.html_page import Page as ParsedPage
from tests.support.marks import mostly_soak
from tests.support.whole_site import MadeRun, make_run, whole_site


@pytest.fixture(params=mostly_soak([HOSTILE[::13], HOSTILE]), ids=lambda texts: str(len(texts)))
def runs(tmp_path: Path, request: pytest.FixtureRequest) -> list[MadeRun]:
    """Make a run with hostile texts, and one with as many harmless ones."""
    harmless = [f"text {number}" for number in range(len(request.param))]
    return [make_run(tmp_path / "hostile", request.param), make_run(tmp_path / "harmless", harmless)]


async def read_pages(made: MadeRun) -> tuple[dict[str, ParsedPage], list[str]]:
    """Return every page of a site, as a browser reads it, and the addresses of those with all texts."""
    pages: dict[str, ParsedPage] = {}
    file = made.folder / "page.html"
    async with whole_site(made) as site:
        for path in site.paths:
            file.write_text(await (await site.page.get(path)).text())
            pages[path.replace(made.run, "")] = ParsedPage(file)
        return pages, [path.replace(made.run, "") for path in site.full_paths]


async def test_a_text_is_no_element_and_no_attribute(runs: list[MadeRun]) -> None:
    (hostile, full), (harmless, _) = [await read_pages(made) for made in runs]
    assert [path for path, page in hostile.items() if page.shape != harmless[path].shape or page.broken] == []
    texts = runs[0].texts
    assert [(path, text) for path in full for text in texts if text not in hostile[path].text] == []
    # As a header, a cell and the description of an error.
    outcomes = hostile[full[-1]].text
    assert [text for text in texts if outcomes.count(text) < 3] == []
