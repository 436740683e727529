"""Programs that measure bulkreact against what people would use instead, side by side and in turns."""
