"""One run: its journal, its order, its pace and its workers."""
