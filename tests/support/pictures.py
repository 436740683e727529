"""Makes the pictures of README and guide from real output: ``python -m tests.support.pictures``; needs tmux and Chromium."""

import asyncio
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.async_api import ViewportSize
from rich.console import Console
from rich.text import Text

from tests.support.generated_guide import GUIDE
from tests.support.page_browser import chromium, sign_in, watched
from tests.support.program import PROJECT
from tests.support.web_page import practising, serving_page

PICTURES = GUIDE / "pictures"
_COLUMNS, _LINES = 100, 60
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_PAGE: ViewportSize = {"width": 960, "height": 700}
_COMMAND = "run inputs/incident.csv --simulate"


def _terminal(folder: Path) -> str:
    """Return what a terminal shows, with its colours, after a run has ended in a folder."""
    shutil.copytree(PROJECT / "inputs", folder / "inputs")
    program = f"{shlex.quote(sys.executable)} -m bulkreact {_COMMAND}"
    session = ["tmux", "-L", f"pictures-{folder.name}"]
    shell = f"{program}; tmux -L pictures-{folder.name} wait-for -S ended; sleep 60"
    subprocess.run(
        [*session, "new-session", "-d", "-x", str(_COLUMNS), "-y", str(_LINES), "-c", str(folder), shell],
        check=True,
        env={
            "PATH": "/usr/bin:/bin",
            "TERM": "xterm-256color",
            "PYTHONPATH": str(PROJECT),
            "HOME": str(folder),
            "LOGNAME": "ann",
        },
    )
    subprocess.run([*session, "wait-for", "ended"], check=True)
    screen = subprocess.run([*session, "capture-pane", "-epS", "-"], check=True, capture_output=True, text=True).stdout
    subprocess.run([*session, "kill-server"], check=True)
    return screen.rstrip().replace(str(folder), "/home/ann")


def _svg(screen: str) -> str:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text.from_ansi(f"$ bulkreact {_COMMAND}\n{screen}"))
    # Fonts are those of the reader's machine: a picture loads nothing.
    return _FONT_FACE.sub("", console.export_svg(title="bulkreact"))


def _screenshot(page: Path, picture: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome") or "chromium-browser"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=900,700"]
    subprocess.run([chromium, *options, f"--screenshot={picture}", page.as_uri()], check=True, capture_output=True)


async def _web_page(folder: Path, picture: Path) -> None:
    """Take a picture of a job's page after its file has been checked."""
    async with serving_page(folder, signed_in=False) as page, chromium() as browser, watched(browser) as context:
        tab = await context.tab()
        await tab.set_viewport_size(_PAGE)
        await sign_in(tab, page, page.site.link.token)
        await tab.get_by_test_id("upload-file").set_input_files(PROJECT / "inputs/incident.csv")
        await tab.get_by_test_id("submit").wait_for()
        await tab.screenshot(path=picture)


async def _approval_page(folder: Path, picture: Path) -> None:
    """Take a picture of what the second person sees of a file."""
    async with (
        practising(folder, "ann", "ben", verify=True) as (ann, ben),
        chromium() as browser,
        watched(browser) as context,
    ):
        number = await ann.ready(
            (PROJECT / "inputs/incident.csv").read_bytes(), "incident.csv", note="As agreed with Contoso"
        )
        await ann.act(number, "submit")
        cookies = [(cookie.key, cookie.value) for cookie in ben.client.cookie_jar]
        await context.context.add_cookies([{"name": key, "value": value, "url": ben.origin} for key, value in cookies])
        tab = await context.tab()
        await tab.set_viewport_size(_PAGE)
        await tab.goto(f"{ben.origin}/jobs/{number}")
        await tab.get_by_test_id("approve").wait_for()
        await tab.screenshot(path=picture)


def main() -> None:
    """Write all pictures anew."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (PICTURES / "terminal.svg").write_text(_svg(_terminal(folder)), encoding="utf-8")
        (report,) = folder.glob("reports/*/report.html")
        _screenshot(report, PICTURES / "report.png")
        asyncio.run(_web_page(folder / "page", PICTURES / "web.png"))
        asyncio.run(_approval_page(folder / "people", PICTURES / "approval.png"))


if __name__ == "__main__":
    main()
