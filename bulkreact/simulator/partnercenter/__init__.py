"""The simulated Partner Center."""
