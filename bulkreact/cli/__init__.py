"""The command line: the only place where the rooms meet, and where errors become exit codes."""

from bulkreact.cli.entry import main

__all__ = ["main"]
