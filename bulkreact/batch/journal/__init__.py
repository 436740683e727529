"""The durable record of one run, in SQLite."""
