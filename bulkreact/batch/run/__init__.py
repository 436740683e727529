"""Executes a run: its sessions, its runner, the dependencies between its rows."""
