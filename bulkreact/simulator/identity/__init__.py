"""The simulated token service."""
