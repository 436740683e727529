"""Input files and result files: tables, ids, checks, reports."""
