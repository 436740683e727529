"""Writes result files: CSV, workbook, HTML report, template."""
