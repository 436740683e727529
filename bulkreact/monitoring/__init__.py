"""Telling monitors, metrics and webhooks how a command ended."""
