"""The settings of a team's server as its chapter has them."""

import re

from bulkreact.guide import read_chapter
from tests.support.program import Program
from tests.support.token_authority import CLIENT, SECRET, TENANT

CONFIGURATION = read_chapter("team-server").partition("```toml\n")[2].partition("```")[0]


def write_settings(program: Program, public: int) -> None:
    """Write the settings of the guide, for the people and the partner of the test."""
    text = re.sub(r'(?<=tenant_id = ")[^"]*', TENANT, CONFIGURATION)
    text = re.sub(r'(?<=client_id = ")[^"]*', CLIENT, text)
    text = text.replace("https://bulkreact.example.com/page", f"https://127.0.0.1:{public}/page")
    (program.folder / "bulkreact.toml").write_text(text)
    for name in ("client-secret", "web-client-secret"):
        (program.folder / name).write_text(SECRET)
        (program.folder / name).chmod(0o600)
    (program.folder / "bulkreact.toml").chmod(0o600)
    for name in ("BULKREACT_TENANT_ID", "BULKREACT_CLIENT_ID"):
        program.environment[name] = ""
