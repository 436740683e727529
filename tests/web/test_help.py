"""The page of help: what people look up is there once, in the words of the page."""

import re
from pathlib import Path

import pytest

from bulkreact.partnercenter.error_codes.lookup import all_entries
from bulkreact.web.help_sections import OF_THE_SERVER, help_sections
from tests.support.web_page import serving_page


def test_every_entry_is_in_one_section_and_those_of_the_operator_come_last() -> None:
    sections = help_sections()
    assert sum(map(len, sections.values())) == len(all_entries())
    assert list(sections)[-1] == OF_THE_SERVER
    assert not [entry for heading in list(sections)[:-1] for entry in sections[heading] if "AADSTS" in entry.code]


@pytest.mark.parametrize(("approval_from", "button"), [(1, "Send for approval"), (None, "how many subscriptions")])
async def test_it_names_the_buttons_and_each_code_once_and_no_command(
    tmp_path: Path, approval_from: int | None, button: str
) -> None:
    async with serving_page(tmp_path, approval_from=approval_from) as page:
        text = await page.text("/help")
        of_one = await page.text("/help/429")
    for_everybody = text[text.index("<main") : text.index("<details>")]
    assert not re.findall(r".*bulkreact [a-z]+ .*|.*failed\.csv.*", for_everybody)
    codes = re.findall(r'<th scope="row"><code translate="no">(.*?)</code>', text)
    assert sorted(set(codes)) == sorted(codes)
    assert (button in text, "http-429" in codes, "http-429" in of_one) == (True, True, True)
