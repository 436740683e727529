"""The manual: chapters in Markdown, shipped with the program."""

from pathlib import Path

_FOLDER = Path(__file__).parent
# In the order in which one reads them.
TOPICS = (
    *(
        "getting-started",
        "input",
        "results",
        "when-it-stops",
        "credentials",
        "unattended",
        "web",
        "team-server",
        "reference",
    ),
    *("simulator", "how-a-run-works", "scale", "beyond-one-machine", "security", "contributing", "changes"),
)


def read_chapter(topic: str) -> str:
    """Return a chapter as Markdown; ``topic`` is one of ``TOPICS``."""
    return (_FOLDER / f"{topic}.md").read_text(encoding="utf-8")


def list_chapters() -> str:
    """Return the table of contents as Markdown: each topic with the title and the first sentence of its chapter."""
    lines = ["# The guide to bulkreact", "", "`bulkreact guide TOPIC` shows a chapter.", ""]
    for topic in TOPICS:
        title, _, text = read_chapter(topic).partition("\n")
        summary = " ".join(text.strip().partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".")
        lines.append(f"- `{topic}`: **{title.removeprefix('# ')}.** {summary}.")
    return "\n".join(lines) + "\n"
