"""The application: preparing, executing, reporting and listing runs, and checking whether one could work."""
