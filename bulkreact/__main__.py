"""Let ``python -m bulkreact`` do what the console script does."""

from bulkreact.cli import main

if __name__ == "__main__":
    main()
