"""What can go wrong, and who is told.

Four things that look alike are kept apart:

* A bad row of a source is data: it ends as a dropped set or in the manifest's count of unreadable rows.
* A bad answer of a model is data: it is a trajectory with an outcome. A failed request is a `Completion` with its
  error.
* A wrong recipe or input is the user's to mend: `RecipeError`, `SourceError`. Nothing has been spent.
* A stage that cannot go on is a crash: `EngineError`, `StorageError`. What was already paid for is on disk.

A build that must wait for a batch has not failed: `Waiting` ends it, and the same command goes on later.

Answers that are of no use cost money: where they follow one another, `StoppedEarly` ends the build.

Only the last two kinds, `Waiting` and `StoppedEarly` are exceptions. Each message is one line that names the record,
file or key, and the way out.
"""


class ForgeError(Exception):
    """The base of every error grmforge raises on purpose; `exit_code` is what the command ends with."""

    exit_code = 1


class RecipeError(ForgeError, ValueError):
    """The recipe, or an argument of the command, is wrong."""

    exit_code = 2


class SourceError(ForgeError, ValueError):
    """A source as a whole cannot be read: missing, truncated, locked, or of another layout."""

    exit_code = 2


class EngineError(ForgeError, RuntimeError):
    """The engine is gone: every further request would fail in the same way."""


class StorageError(ForgeError, OSError):
    """The root cannot be read or written: full, unwritable, damaged, or made by a newer grmforge."""


class DamagedError(StorageError):
    """A file's bytes are not those that were written."""


class StoppedEarly(ForgeError, RuntimeError):
    """A role's first answers are of no use, so nothing further is sent. Every answer is kept."""

    def __init__(self, message: str, example: str = "") -> None:
        super().__init__(message)
        self.example = example
        """One whole answer as it came, of a model that may write anything: escape it where it is shown."""


class BudgetReached(ForgeError, RuntimeError):
    """The next request would exceed the recipe's budget. Everything bought is kept."""

    exit_code = 3


class Interrupted(ForgeError, RuntimeError):
    """Someone stopped the run: nothing further was sent, and the run waited for what was in flight."""

    exit_code = 130


class Terminated(Interrupted):
    """The same by SIGTERM, which waits only so long for what is in flight."""

    exit_code = 143


class HungUp(Interrupted):
    """The same by SIGHUP: the terminal has gone."""

    exit_code = 129


class Waiting(ForgeError, RuntimeError):
    """An endpoint makes answers in batches. Every request that was sent is on disk; the next run collects them."""

    exit_code = 4
