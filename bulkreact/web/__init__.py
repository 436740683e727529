"""The web page: files are uploaded, checked, run and watched; it acts through the command line and shows by reading."""
