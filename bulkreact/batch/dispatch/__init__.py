"""Which call is sent when, and what follows from its answer."""
