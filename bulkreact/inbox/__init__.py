"""A folder of input files, each run once."""
