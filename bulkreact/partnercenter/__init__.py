"""What we know of the Partner Center API: requests, answers, codes, tokens and the wire."""
