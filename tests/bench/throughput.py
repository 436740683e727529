"""Calls per second and processor time of a whole run, against programs that post the same rows and keep nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from .inputs import paths, write_input
from .servers import fast_server
from .table import REPORTED, Row, Threshold
from .workspace import CONCURRENCY, Spent, Workspace, ratios

_ROWS = 50_000
_THREADS = 32
# The slow ones need fewer rows to show how slow they are.
_SHARES = {"requests in 32 threads": 0.2, "xargs -P 32 curl": 0.05}
_RUN = "bulkreact run"
_BARE = "bare aiohttp pool"
_THRESHOLDS = {
    _BARE: Threshold(least=0.65),
    "requests in 32 threads": Threshold(least=5),
    "xargs -P 32 curl": Threshold(least=15),
    "curl -Z": REPORTED,
}


def measure(workspace: Workspace) -> Iterator[Row]:
    """Yield how a run compares with the others."""
    count = workspace.rows(_ROWS)
    source = write_input(workspace, count)
    with fast_server(workspace) as base_url:
        urls = [f"{base_url}{path}" for path in paths(source)]
        sides: dict[str, Callable[[], Spent]] = {
            _RUN: lambda: _run(workspace, source, base_url),
            **_rivals(workspace, urls),
        }
        sizes = {name: max(1, int(count * _SHARES.get(name, 1))) for name in sides}
        spent = workspace.alternate(sides)
    speeds = {name: [sizes[name] / run.seconds for run in runs] for name, runs in spent.items()}
    for name in sides:
        if name != _RUN:
            detail = {"rows_per_second": speeds[_RUN], "other_rows_per_second": speeds[name]}
            yield Row("calls per second", name, ratios(speeds[_RUN], speeds[name]), _THRESHOLDS[name], detail=detail)
    costs = {name: [run.cpu / sizes[name] * 1e6 for run in runs] for name, runs in spent.items()}
    detail = {"microseconds_per_row": costs[_RUN], "other_microseconds_per_row": costs[_BARE]}
    yield Row("CPU seconds per row", _BARE, ratios(costs[_RUN], costs[_BARE]), Threshold(most=1.5), detail=detail)


def _run(workspace: Workspace, source: Path, base_url: str) -> Spent:
    return workspace.run(source, base_url, "--rate", "off", "--concurrency", str(CONCURRENCY))


def _rivals(workspace: Workspace, urls: list[str]) -> dict[str, Callable[[], Spent]]:
    """Return the others that this machine has."""

    def write_urls(name: str) -> Path:
        share = _SHARES.get(name, 1)
        path = workspace.folder / f"urls-{share}.txt"
        path.write_text("\n".join(urls[: max(1, int(len(urls) * share))]) + "\n")
        return path

    threads, each, parallel = "requests in 32 threads", "xargs -P 32 curl", "curl -Z"
    rivals: dict[str, Callable[[], Spent]] = {
        _BARE: lambda: workspace.program("bare_pool", write_urls(_BARE), CONCURRENCY),
        threads: lambda: workspace.program("threads", write_urls(threads), _THREADS),
    }
    curl = shutil.which("curl")
    if curl and shutil.which("xargs"):
        command = ["xargs", "-P", str(_THREADS), "-n", "1", curl, "-s", "-o", "/dev/null", "-X", "POST"]
        rivals[each] = lambda: workspace.time_command(command, stdin=write_urls(each))
    if curl:
        rivals[parallel] = lambda: workspace.time_command(
            [curl, "-Z", "--parallel-max", str(CONCURRENCY), "-K", _write_curl_config()]
        )

    def _write_curl_config() -> Path:
        path = workspace.folder / "curl.txt"
        path.write_text(
            "".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls) + 'request = "POST"\nsilent\n'
        )
        return path

    return rivals
