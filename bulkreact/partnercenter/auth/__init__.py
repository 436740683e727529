"""Gets, checks, renews and stores access tokens."""
