"""Where a console script that was installed by an earlier version starts."""

from flows.command.cli import main

__all__ = ["main"]
