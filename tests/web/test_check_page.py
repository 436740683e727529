"""What the page says of a file that was checked."""

import re
from io import BytesIO
from pathlib import Path

from msgspec.structs import replace
from openpyxl import Workbook

from bulkreact.batch.journal.row_pages import ProblemGroup, RowProblem
from bulkreact.web.views import describe_group
from tests.support.web_page import CUSTOMER, HEADER, line, practising, serving_page, table

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


async def test_what_was_chosen_for_a_workbook_is_dropped_when_a_csv_replaces_it(tmp_path: Path) -> None:
    workbook, content = Workbook(), BytesIO()
    sheet = str(workbook.active.title)
    for row in (HEADER, line(1), line(2)):
        workbook.active.append(row.strip().split(","))
    workbook.save(content)
    async with serving_page(tmp_path) as page:
        number = await page.ready(content.getvalue(), "orders.xlsx")
        await page.act(number, "options", sheet=sheet, hidden_rows="skip")
        chosen = await page.wait_for(number, "ready", "unusable")
        await page.upload(FILE.encode(), path=f"/jobs/{number}/file", version="2")
        job, text = await page.wait_for(number, "ready", "unusable"), await page.text(f"/jobs/{number}")
    assert (chosen["state"], chosen["options"]["sheet"], job["state"]) == ("ready", sheet, "ready")
    assert (job["options"]["sheet"], job["options"]["hidden_rows"]) == ("", "")
    assert f"not used for this one: sheet {sheet}, hidden_rows skip." in text


async def test_a_check_that_the_settings_do_not_allow_is_not_said_to_be_the_files_fault(tmp_path: Path) -> None:
    async with serving_page(tmp_path) as page:
        page.site.settings.arguments["plan"] = ("--rate=never",)  # type: ignore[index]
        number = await page.ready(FILE.encode())
        refused = (await page.job(number))["refused"]
    assert (refused["code"], "check.log" in refused["message"]) == ("not-checked", True)


async def test_it_says_which_cells_are_wrong_and_what_to_do_about_them(tmp_path: Path) -> None:
    cut, empty = line(2).replace(CUSTOMER, CUSTOMER[:-5]), f"{CUSTOMER},{CUSTOMER},,Adatum\n"
    async with serving_page(tmp_path) as page:
        number = await page.ready((HEADER + line(1) + cut + empty).encode())
        text = await page.text(f"/jobs/{number}")
        check = (await page.job(number))["check"]
        good = await page.text(f"/jobs/{await page.ready(FILE.encode())}")
    assert {problem["words"] for problem in check["problems"]} == {
        "customer_id is not a GUID",
        "the row has no entitlement_id",
    }
    wrong = text[text.index("What is wrong</h2>") : text.index("How the file is read")]
    assert "replace it below. Or go on without: these 2 rows are left out." in wrong
    assert all(part in wrong for part in ("files/problems.xlsx", 'data-testid="replace-form"', "The corrected file"))
    assert "customer_id is not a GUID: it looks cut off, a GUID has 32 digits" in wrong
    assert "C4 (empty)" in wrong
    assert "Fill it in: the id of the Azure subscription, as Partner Center and the Azure portal show it" in wrong
    marked = re.findall(r'<td translate="no" class="wrong"><bdi>(.*?)</bdi>', text)
    assert marked == [CUSTOMER[:-5], ""]
    assert ("What is wrong" in good, good.count('data-testid="replace-form"')) == (False, 1)


def test_problems_of_several_kinds_under_one_code_are_described_in_general() -> None:
    problem = RowProblem(2, "customer_id", "A2", "x", "invalid-customer-id", "is not a GUID", "")
    nil = replace(problem, row=3, reason="is the nil GUID, which names nothing")
    groups = [ProblemGroup(problem.code, rows, "", tuple(examples)) for rows, examples in (
        (1, [nil]), (2, [problem, nil]), (9, [nil]),
    )]  # fmt: skip
    in_general = "customer_id is not a GUID"
    assert [describe_group(group, {}) for group in groups] == [f"customer_id {nil.reason}", in_general, in_general]


async def test_problems_name_the_headers_of_the_file_and_rows_keep_their_ids(tmp_path: Path) -> None:
    wrong = line(2).replace("33333333", "3333")
    content = (HEADER.replace("entitlement_id", "Entitlement ID") + line(1) + wrong).encode()
    async with serving_page(tmp_path) as page:
        number = await page.ready(content)
        text, rows = await page.text(f"/jobs/{number}"), await page.json(f"/api/jobs/{number}/rows")
        listed = await page.get(f"/jobs/{number}/files/problems.xlsx")
        await page.upload(await listed.read(), "problems.xlsx")
        refused = (await page.wait_for(2, "unusable", "ready"))["refused"]
    assert "Entitlement ID is not a GUID" in text
    assert (rows["rows"][0]["customer"], rows["rows"][0]["entitlement"]) == (CUSTOMER, wrong.split(",")[2])
    assert refused["message"].startswith("This is problems.xlsx, the list of what is wrong.")


async def test_a_results_file_with_rows_that_were_accepted_is_warned_of(tmp_path: Path) -> None:
    content = (HEADER + line(1) + line(2, ending="000000020002")).encode()
    async with serving_page(tmp_path) as page:
        number = await page.finished(content)
        files = [await page.get(f"/jobs/{number}/files/{name}") for name in ("results.xlsx", "failed.xlsx")]
        jobs = [await page.ready(await file.read(), "again.xlsx") for file in files]
        every, failed = [await page.text(f"/jobs/{job}") for job in jobs]
    assert "with rows that Partner Center has accepted before (1 accepted). They are sent again" in every
    assert "accepted before" not in failed


async def test_what_was_checked_and_not_sent_waits_for_its_sender_alone(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "cleo") as (ann, cleo):
        await ann.ready(table(1))
        own, other = await ann.text("/"), await cleo.text("/")
    assert ("Waiting for you (1)" in own, "checked, and not sent yet" in own) == (True, True)
    assert "Waiting for you (0)" in other


async def test_the_sum_of_a_column_is_shown_to_whoever_sends_and_whoever_agrees(tmp_path: Path) -> None:
    header = HEADER.replace("name", "Amount")
    content = (header + line(1, name="1000.5") + line(2, name="2.5")).encode()
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await ann.ready(content)
        await ann.act(number, "options", sum="Amount")
        await ann.wait_for(number, "ready")
        await ann.act(number, "submit")
        shown = await ben.text(f"/jobs/{number}")
        await ann.upload(table(1), path=f"/jobs/{number}/file", version="2")
        replaced = await ann.wait_for(number, "ready", "unusable")
    assert 'data-testid="sum"><strong>Amount: 1,003.00</strong>' in shown
    assert (replaced["state"], replaced["options"]["sum"]) == ("ready", "")
