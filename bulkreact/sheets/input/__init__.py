"""Reads input files: text and workbooks become checked rows."""
