"""Reads the first sheet of a workbook with pandas."""

import sys

import pandas as pd

if __name__ == "__main__":
    pd.read_excel(sys.argv[1], dtype=str, keep_default_na=False, engine="calamine")
