"""The webhook gets what happened to jobs, with the job's address, its counts and the head of the trail."""

import json
from pathlib import Path

from bulkreact.monitoring.webhooks import NotifyTargets
from tests.support.approvals import asks, decide
from tests.support.web_page import practising, table, until
from tests.support.webhook_receiver import Receiver, receiving


async def posted(receiver: Receiver, count: int) -> None:
    """Wait for so many posts."""
    await until(lambda: len(receiver.posts) >= count)


async def test_whoever_is_to_know_is_told(tmp_path: Path) -> None:
    with receiving() as receiver:
        async with practising(tmp_path, "ann", "ben", notify=NotifyTargets(url=f"{receiver.url}/hook")) as (ann, ben):
            first, second = await asks(ann, table(2)), await asks(ann, table(3))
            await decide(ben, first, "reject", comment="wrong month")
            await decide(ben, second)
            await ann.wait_for(second, "finished")
            await posted(receiver, 5)
            head = ann.site.store.audit_head()
            posts = [json.loads(body) for _, body in receiver.posts]
    assert [(post["event"], post["job"], post["person"]) for post in posts] == [
        ("approval-wanted", 1, "Ann"),
        ("approval-wanted", 2, "Ann"),
        ("rejected", 1, "Ben"),
        ("approved", 2, "Ben"),
        ("ended", 2, "bulkreact"),
    ]
    assert posts[0]["url"] == f"{ann.origin}/jobs/1"
    assert posts[0]["counts"] == {"rows": 2, "valid": 2, "invalid": 0, "customers": 1}
    assert (posts[-1]["counts"], posts[-1]["exit_code"], posts[-1]["head"]) == ({"accepted": 3}, 0, head)
    assert "Ann asks for approval of No. 1, orders.csv" in posts[0]["message"]
    assert "Ben has rejected No. 1, orders.csv: wrong month" in posts[2]["message"]


async def test_a_server_posts_what_the_one_before_has_not(tmp_path: Path) -> None:
    with receiving() as receiver:
        notify = NotifyTargets(url=receiver.url)
        async with practising(tmp_path, "ann") as (ann,):
            await asks(ann)
        for number in (2, 3):
            async with practising(tmp_path, "ann", notify=notify) as (ann,):
                await asks(ann, table(number + 5))
                await posted(receiver, number - 1)
        # As if all had been killed before they could note what they had posted.
        (tmp_path / "reports/serve/notified").write_text("0")
        async with practising(tmp_path, notify=notify):
            await posted(receiver, 5)
    assert [json.loads(body)["job"] for _, body in receiver.posts] == [2, 3, 1, 2, 3]


async def test_a_webhook_that_fails_stops_nothing(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.status = 404
        async with practising(tmp_path, "ann", "ben", notify=NotifyTargets(url=receiver.url, teams=True)) as (ann, ben):
            number = await asks(ann)
            await decide(ben, number)
            job = await ann.wait_for(number, "finished")
            await posted(receiver, 3)
    card = json.loads(receiver.posts[0][1])["attachments"][0]["content"]
    assert job["state"] == "finished"
    assert (card["body"][0]["text"], card["actions"][0]["url"]) == (
        "bulkreact: approval-wanted",
        f"{ann.origin}/jobs/1",
    )
