"""Decides which call is sent when, and how an answer is handled."""
