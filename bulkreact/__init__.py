"""Reactivate many Partner Center subscriptions from one file."""

__version__ = "0.1.0"
