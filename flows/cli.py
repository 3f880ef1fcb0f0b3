"""Where a console script of an earlier version starts, and `python -m flows.cli`."""

from flows.command.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
