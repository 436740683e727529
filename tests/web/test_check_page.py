"""What the page says of a file that was checked."""

from pathlib import Path

from tests.support.web_page import CUSTOMER, HEADER, line, serving_page

FILE = (
    HEADER.replace("name", "customer name") + line(1, name="Kessler & Co") + line(2, name="Kessler & Co") + "Total,,,\n"
)


async def test_it_names_customers_and_not_where_the_server_keeps_the_file(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(FILE.encode())
        text = await page.text(f"/jobs/{number}")
        assert "orders.csv has a total, row 4" in text
        assert f'Kessler &amp; Co <code translate="no">{CUSTOMER}</code>' in text
        await page.ready(b"a;b\n1;2\n")
        refused = await page.text("/jobs/2")
    assert str(tmp_path) not in text + refused


async def test_a_job_has_all_its_rows_before_its_run_begins(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        number = await page.ready(FILE.encode())
        await page.act(number, "submit")
        assert (await page.json(f"/api/jobs/{number}/live"))["rows"] == 2
        await page.wait_for(number, "finished")
        assert f'Kessler &amp; Co <code translate="no">{CUSTOMER}</code>' in await page.text(
            f"/jobs/{number}/rows?show=all"
        )
