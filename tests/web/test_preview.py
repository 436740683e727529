"""The first rows on the page of a file that was checked."""

from pathlib import Path

from bulkreact.sheets.result_columns import RESULT_COLUMNS
from tests.support.web_page import HEADER, line, serving_page


async def test_columns_of_earlier_results_are_not_shown_again(tmp_path: Path) -> None:
    header = ",".join((HEADER.strip(), "row", *RESULT_COLUMNS, "amount"))
    cells = ",".join((line(1, name="Kessler").strip(), "own", *("earlier" for _ in RESULT_COLUMNS), "12.50"))
    async with serving_page(tmp_path) as page:
        number = await page.ready(f"{header}\n{cells}\n".encode())
        text = await page.text(f"/jobs/{number}")
    preview = text.partition('data-testid="preview-table"')[2].partition("</table>")[0]
    assert preview.count("<th ") == preview.count("<td ") == len(HEADER.split(",")) + 2
    assert [word for word in ("Kessler", "own", "12.50", "advice", "earlier<") if word in preview] == [
        *("Kessler", "own", "12.50"),
    ]
