"""A real Chromium without a window, for tests of pages: they are opened, keys are pressed, faults are collected.

Where no browser or no playwright is installed the tests are skipped, but where GRMFORGE_BROWSER says that there is one.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_IS_THERE = CHROMIUM is not None and find_spec("playwright") is not None
needs_browser = pytest.mark.skipif(
    not _IS_THERE and "GRMFORGE_BROWSER" not in os.environ, reason="no Chromium or no playwright is installed"
)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
]
_OWN = ("blob:", "data:")
_WAIT_MS = 90_000
"""Long, since the machine may be busy with servers and builds beside the test."""


class Tab:
    """One open page: what it asked for, and what it did wrong."""

    def __init__(self, context: Any, address: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(_WAIT_MS)
        self.asked = set[str]()
        """Every address that the page asked for, but what it made itself."""
        self.faults = list[str]()
        """Errors and warnings of the page, and refusals of its own policy."""
        self.page.on("request", self._note)
        self.page.on("pageerror", lambda fault: self.faults.append(f"{fault}"))
        self.page.on("console", lambda line: self.faults.append(f"{line.type}: {line.text}"))
        self.page.goto(address)

    def _note(self, request: Any) -> None:
        if not request.url.startswith(_OWN):
            self.asked.add(request.url.partition("#")[0])

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, as a keyboard does."""
        for key in keys:
            self.page.keyboard.press(key)

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        return self.page.evaluate(expression)

    def until(self, expression: str) -> None:
        """Wait until an expression in the page is true. Raises AssertionError where it takes too long.

        Asked from outside: a page's own policy forbids the evaluation that a wait inside it needs.
        """
        end = time.monotonic() + _WAIT_MS / 1000
        while time.monotonic() < end:
            if self.value(expression):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"waited too long for {expression}; the page says: {self.shown()[:600]!r} {self.faults}")

    def shown(self, selector: str = "body") -> str:
        """Return the text that a person sees in the first element of a kind; empty where there is none."""
        element = self.page.query_selector(selector)
        return element.inner_text() if element else ""

    def saved(self, folder: Path, *keys: str) -> Path:
        """Press keys that save a file, and return it, in a folder of the test."""
        with self.page.expect_download() as download:
            self.press(*keys)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{len(list(folder.iterdir()))}-{download.value.suggested_filename}"
        download.value.save_as(path)
        return path

    def close(self) -> None:
        self.page.close()


class Browser:
    """Contexts of one browser: tabs of a context share what it keeps, different ones share nothing."""

    def __init__(self, running: Any) -> None:
        self._running = running

    @contextmanager
    def context(self, width: int = 1400, height: int = 900, *, dark: bool = False) -> Iterator[Any]:
        """Give an empty context, with windows of this size, for as long as the block."""
        scheme = "dark" if dark else "light"
        context = self._running.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        try:
            yield context
        finally:
            context.close()

    @contextmanager
    def tab(self, address: str | Path, width: int = 1400, height: int = 900, *, dark: bool = False) -> Iterator[Tab]:
        """Open a page in a context of its own."""
        with self.context(width, height, dark=dark) as context:
            yield Tab(context, address.as_uri() if isinstance(address, Path) else address)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser that begins with nothing, and ends with the block."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM is not None, "no Chromium is installed"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield Browser(running)
        finally:
            running.close()
