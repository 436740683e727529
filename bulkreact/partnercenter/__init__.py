"""The Partner Center API: requests, answers, error codes, tokens and the HTTP client."""
