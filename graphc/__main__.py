"""`python -m graphc` is the `graphc` command."""

from graphc.cli import main

if __name__ == "__main__":
    main()
