"""The application: prepares, executes, reports and lists runs."""
