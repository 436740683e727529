"""Reads tables in workbooks, in a process of their own."""
