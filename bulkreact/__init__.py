"""Reactivate many Partner Center subscriptions from one file."""

__version__ = "0.1.0"
# What every request of the program calls itself.
USER_AGENT = f"bulkreact/{__version__}"
CONFIG_FILE_NAME = "bulkreact.toml"
