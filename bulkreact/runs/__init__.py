"""The application: preparing, executing, reporting and listing runs."""
