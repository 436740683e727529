"""A Partner Center of our own to practise and test against; it knows nothing of the client."""
