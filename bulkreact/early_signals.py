"""Signals that arrived before a run had installed its own handlers."""

# What has come so far: an exception raised while a module is being loaded may be swallowed there.
early_signals: list[int] = []
