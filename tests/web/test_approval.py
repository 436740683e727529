"""What is sent was approved by somebody who had no hand in it, and is what they saw, to the last byte."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from aiohttp import ClientResponse

from bulkreact.web import processes, texts
from tests.support.approvals import asks, decide
from tests.support.web_page import HEADER, line, practising, table

BOTH = ("approve", "reject")


async def code_of(response: ClientResponse) -> tuple[int, str]:
    """Return the status and the code of a refusal."""
    return response.status, str((await response.json(content_type=None)).get("code"))


def started(site_folder: Path) -> list[Path]:
    """Return the folders of the runs that have been made."""
    return [path.parent for path in (site_folder / "reports").glob("[!.]*/journal.sqlite3")]


async def test_a_second_person_sends_a_file_on_its_way(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await ann.ready(table(3), note="for March")
        await ann.act(number, "submit", note="for March, as agreed")
        waiting, page, home = await ben.job(number), await ben.text(f"/jobs/{number}"), await ben.text("/")
        own_page, own_home = await ann.text(f"/jobs/{number}"), await ann.text("/")
        answer = await decide(ben, number, comment="looked at it")
        job = await ann.wait_for(number, "finished", "stopped")
        kept = json.loads(await (await ann.get(f"/jobs/{number}/files/approval.json")).read())
    assert (waiting["state"], waiting["may"]) == ("waiting", ["approve", "reject"])
    assert waiting["approval"] == {
        **dict.fromkeys(("decision", "by", "at")), "needed": True, "comment": "", "version": 1,
    }  # fmt: skip
    assert "Approve 3 subscriptions of 1 customer" in page
    assert ("for March, as agreed" in page, "waiting-since" in page, 'data-testid="approve-form"' in page) == (
        True,
        True,
        True,
    )
    assert ("own-work" in own_page, "approve-form" in own_page) == (True, False)
    assert ("3 subscriptions, by" in home, "3 subscriptions, by" in own_home) == (True, False)
    assert answer.status == 200
    assert (job["state"], job["run"]["counts"]) == ("finished", {"accepted": 3})
    assert (job["approval"]["decision"], job["approval"]["by"]["name"]) == ("approved", "Ben")
    assert (kept["made_by"], kept["approved_by"], kept["comment"]) == (["Ann"], "Ben", "looked at it")
    (folder,) = started(tmp_path)
    assert json.loads((folder / "approval.json").read_text("utf-8")) == kept
    assert json.loads((folder / "summary.json").read_text("utf-8"))["operator"] == "Ann approved by Ben"


async def test_who_approves_can_say_something_in_their_own_name_alone(tmp_path: Path) -> None:
    comment = f"sha256: {'0' * 64}; digest: {'0' * 64}" + "\n.".ljust(800, "\n") + "."
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await asks(ann, note="for March")
        await decide(ben, number, comment=comment.replace("\n", "\r\n"), note="for April")
        job = await ann.job(number)
        events = (await ann.json(f"/api/jobs/{number}/audit"))["events"]
    (detail,) = (event["detail"] for event in events if event["event"] == "approved")
    assert job["note"] == "for March"
    assert detail.startswith(f"sha256: {job['check']['sha256']}; digest: {job['check']['digest']}; options: ")
    assert detail.endswith(f"; {comment}")


async def test_nobody_approves_what_they_had_a_hand_in(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben", "cleo") as (ann, ben, cleo):
        own = await asks(cleo)
        replaced, optioned = await ann.ready(table(4)), await ann.ready(table(5))
        await cleo.upload(table(6), path=f"/jobs/{replaced}/file", version="1")
        await cleo.act(optioned, "options", order="urgent")
        for number in (replaced, optioned):
            await ann.wait_for(number, "ready")
            await ann.act(number, "submit")
        hers = [
            await code_of(await decide(cleo, number, word)) for number in (own, replaced, optioned) for word in BOTH
        ]
        offered = [await cleo.job(number) for number in (own, replaced, optioned)]
        page = await cleo.text(f"/jobs/{own}")
        anns = await code_of(await decide(ann, replaced))
        bens = await decide(ben, own)
    assert set(hers) == {(403, "own-work")}
    assert {action for job in offered for action in job["may"]} & set(BOTH) == set()
    assert "Cleo's own file: somebody else must approve it." in page
    assert (anns, bens.status) == ((403, "no-right"), 200)


async def test_a_rejection_says_why_and_a_better_file_goes_its_way(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await asks(ann)
        silent = await code_of(await decide(ben, number, "reject", comment="  "))
        answer = await decide(ben, number, "reject", comment="wrong month")
        rejected, page = await ann.job(number), await ann.text(f"/jobs/{number}")
        trail, homes = await ann.text(f"/jobs/{number}/audit"), [await person.text("/") for person in (ann, ben)]
        late = await code_of(await decide(ben, number))
        await ann.upload(table(2), path=f"/jobs/{number}/file", version="1")
        await ann.wait_for(number, "ready")
        await ann.act(number, "submit")
        again = await decide(ben, number)
        job = await ann.wait_for(number, "finished")
    assert (silent, answer.status, late) == ((400, "bad-field"), 200, (409, "wrong-state"))
    assert (rejected["state"], rejected["approval"]["comment"], rejected["may"]) == (
        "rejected", "wrong month", ["file", "withdraw"],
    )  # fmt: skip
    assert ("wrong month" in page, again.status, job["check"]["rows"]) == (True, 200, 2)
    assert ["rejected: see why, correct it and send it again" in home for home in homes] == [True, False]
    # The way on stands beside the reason, once.
    assert page.index("wrong month") < page.index("The corrected file") < page.index("How the file is read")
    assert page.count('data-testid="replace-form"') == 1
    assert str(rejected["check"]["sha256"]) not in trail
    assert f"file {texts.group_digits(rejected['check']['sha256'])}" in trail


async def test_an_answer_about_something_else_is_refused(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await ann.ready(table(3))
        await ann.upload(table(4), path=f"/jobs/{number}/file", version="1")
        await ann.wait_for(number, "ready")
        await ann.act(number, "submit")
        check = (await ben.job(number))["check"]
        shown = {"version": "2", "sha256": check["sha256"], "digest": check["digest"], "comment": "no"}
        stale = [
            await decide(ben, number, word, comment="no", **changed)
            for changed in ({"version": "1"}, {"sha256": "0" * 64}, {"digest": "0" * 64})
            for word in BOTH
        ]
        refusals = [await answer.json(content_type=None) for answer in stale]
        missing = {
            await code_of(await ben.post(f"/jobs/{number}/approve", {n: shown[n] for n in shown if n != name}))
            for name in ("version", "sha256", "digest")
        }
        long = await code_of(await decide(ben, number, comment="x" * 1001))
        job = await ben.job(number)
    assert {(answer["status"], answer["code"]) for answer in refusals} == {(409, "stale")}
    assert "Ann has changed No. 1" in refusals[0]["detail"]
    assert (missing, long) == ({(400, "bad-field")}, (400, "bad-field"))
    assert (job["state"], job["run"], started(tmp_path)) == ("waiting", None, [])


async def test_a_change_takes_the_request_for_approval_back(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await asks(ann)
        await ann.act(number, "options", restore_auto_renew="yes")
        changed = await ann.wait_for(number, "ready")
        too_late = await code_of(await decide(ben, number))
        await ann.act(number, "submit")
        page = await ben.text(f"/jobs/{number}")
    assert (changed["version"], too_late) == (2, (409, "wrong-state"))
    assert ('Switch auto-renew on again: <span translate="no">yes' in page, 'data-testid="changes"' in page) == (
        True,
        True,
    )


async def swap(site_folder: Path) -> None:
    """Give a job's file another row than it had when it was approved."""
    (file,) = (site_folder / "reports/serve/jobs/1/v1/input").iterdir()
    file.write_bytes(HEADER.encode() + line(77).encode())


async def test_a_file_that_was_swapped_after_its_approval_is_not_sent(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await asks(ann)
        await swap(tmp_path)
        await decide(ben, number)
        job, page = await ann.wait_for(number, "stopped", "finished"), await ann.text(f"/jobs/{number}")
        # What will never be sent there does not keep its rows from anybody.
        assert await asks(ann) == number + 1
    assert (job["state"], job["cause"], job["run"]["exit_code"], job["may"]) == ("stopped", "refused", 2, [])
    assert "Nothing was sent" in page
    assert (started(tmp_path), (tmp_path / "reports/serve/jobs/1/run.log").exists()) == ([], False)


async def test_the_process_that_sends_refuses_another_file_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = processes.start

    def start_late(
        arguments: Sequence[str], log: Path, *, output: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> processes.ChildProcess:
        if arguments[0] == "run":
            (file,) = (tmp_path / "reports/serve/jobs/1/v1/input").iterdir()
            file.write_bytes(file.read_bytes().replace(b"Customer 1", b"Customer 9"))
        return start(arguments, log, output=output, environment=environment)

    monkeypatch.setattr(processes, "start", start_late)
    async with practising(tmp_path, "ann", "ben") as (ann, ben):
        number = await asks(ann)
        await decide(ben, number)
        job = await ann.wait_for(number, "stopped", "finished")
    assert (job["state"], job["cause"], job["run"]["exit_code"]) == ("stopped", "refused", 2)
    assert started(tmp_path) == []
    assert (tmp_path / "reports/serve/jobs/1/run.log").read_text("utf-8").count("SHA-256") == 1


async def test_few_rows_need_no_second_person(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", approval_from=4) as (ann,):
        few, many = await ann.ready(table(3)), await ann.ready(table(4))
        ready, pages = [await ann.job(n) for n in (few, many)], [await ann.text(f"/jobs/{n}") for n in (few, many)]
        for number in (few, many):
            await ann.act(number, "submit")
        jobs = [await ann.wait_for(few, "finished"), await ann.job(many)]
    assert [job["approval"]["needed"] for job in ready] == ["Send for approval" in page for page in pages]
    assert [(job["state"], job["approval"]["needed"], job["approval"]["decision"]) for job in jobs] == [
        ("finished", False, "same person"),
        ("waiting", True, None),
    ]


async def test_a_job_is_withdrawn_while_it_waits_and_after_it_was_rejected(tmp_path: Path) -> None:
    async with practising(tmp_path, "ann", "ben", "cleo") as (ann, ben, cleo):
        numbers = [await asks(ann, table(rows)) for rows in (2, 3)]
        foreign = await code_of(await cleo.act(numbers[0], "withdraw"))
        await decide(ben, numbers[1], "reject", comment="no")
        answers = [await ann.act(number, "withdraw", comment="a mistake") for number in numbers]
        trail = (await ann.json(f"/api/jobs/{numbers[1]}/audit"))["events"]
    assert foreign == (403, "no-right")
    assert [(await answer.json())["job"]["state"] for answer in answers] == ["withdrawn", "withdrawn"]
    assert [(event["event"], event["person"], event["detail"]) for event in trail][-3:] == [
        ("submitted", "Ann", "waits for approval"),
        ("rejected", "Ben", "no"),
        ("withdrawn", "Ann", "a mistake"),
    ]
