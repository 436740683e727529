"""Entry point of ``python -m bulkreact``, the same as the console script."""

from bulkreact.cli import main

if __name__ == "__main__":
    main()
