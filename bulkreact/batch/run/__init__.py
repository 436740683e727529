"""Executing a run: its sessions, its runner, its dependencies between rows."""
