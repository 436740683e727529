"""Watching accepted subscriptions until they are active."""
