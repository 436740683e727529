"""How the program reaches the outside: through the environment's proxy, and with its certificates."""

import asyncio
from collections.abc import Iterator

import pytest

from bulkreact.errors import InputRefusedError
from bulkreact.partnercenter.network import proxy_for
from tests.support.background_loop import serving
from tests.support.ids import guid, row, write_csv
from tests.support.program import Program
from tests.support.signed_in import APP, calls, run
from tests.support.token_authority import SECRET, Authority
from tests.support.tunnels import Tunnels, tunnels_to


@pytest.fixture
def tunnels(loop: asyncio.AbstractEventLoop, authority: Authority) -> Iterator[Tunnels]:
    with serving(loop, tunnels_to(int(authority.base_url.rpartition(":")[2]))) as running:
        yield running


def test_token_service_and_api_are_reached_through_the_proxy(
    program: Program, authority: Authority, tunnels: Tunnels
) -> None:
    program.environment |= {
        "BULKREACT_CLIENT_SECRET": SECRET,
        "BULKREACT_AUTHORITY": "https://login.example",
        "BULKREACT_BASE_URL": "https://partner.example",
        "HTTPS_PROXY": tunnels.url,
        "NO_PROXY": "",
        "SSL_CERT_FILE": "",
    }
    process = run(program, *APP)
    assert process.code == 0, process.err
    assert len(calls(authority)) == 3
    assert set(tunnels.asked) == {"login.example:443", "partner.example:443"}
    shown = program("doctor", *APP)
    assert shown.code == 0, shown.out
    assert "through the proxy 127.0.0.1" in shown.out


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_one_variable_is_enough_for_all_connections(program: Program, authority: Authority, variable: str) -> None:
    program.environment |= {"BULKREACT_CLIENT_SECRET": SECRET, "REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": ""}
    program.environment[variable] = str(authority.ca_file)
    assert run(program, *APP).code == 0


def test_the_environments_proxy_is_used_but_never_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    assert proxy_for("https://partner.example") == "http://proxy.example:3128"
    assert proxy_for("https://near.example") is None
    assert proxy_for("https://localhost:8080") is None


@pytest.mark.parametrize(("setting", "used"), [("proxy.example:3128", "http://proxy.example:3128"), ("", None)])
def test_a_proxy_may_lack_its_scheme(monkeypatch: pytest.MonkeyPatch, setting: str, used: str | None) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", setting)
    assert proxy_for("https://partner.example") == used


@pytest.mark.parametrize("proxy", ["http://[", "ftp://proxy.example", "http://ann:pa55word@proxy.example:99999"])
def test_a_proxy_that_cannot_be_used_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(InputRefusedError, match="HTTPS_PROXY") as refused:
        proxy_for("https://partner.example")
    assert "pa55word" not in str(refused.value)


@pytest.mark.parametrize("login", ["user:pä€ss", "user:p%E2%82%ACss", "üser€:x"])
def test_credentials_that_no_proxy_can_be_sent_are_refused_without_them(program: Program, login: str) -> None:
    write_csv(program.folder / "input.csv", [row(guid(1))])
    program.environment |= {"HTTPS_PROXY": f"http://{login}@127.0.0.1:1", "BULKREACT_ACCESS_TOKEN": "x"}
    process = program("run", "input.csv", "--yes")
    assert process.code == 2
    assert "only those of Latin-1 can be" in process.err
    assert "ss@" not in process.err
    assert not list(program.folder.glob("reports/[!.]*"))


def test_credentials_of_a_proxy_may_have_western_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pässwört@proxy.example:3128")
    assert proxy_for("https://api.example/") == "http://user:pässwört@proxy.example:3128"
