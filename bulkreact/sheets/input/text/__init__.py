"""Reads tables in text files."""
