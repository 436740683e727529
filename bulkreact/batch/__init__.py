"""One run: journal, order of calls, rate and workers."""
