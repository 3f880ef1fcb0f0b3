"""A real Chromium without a window, driven through its own protocol: pages are opened, and keys are pressed."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from websockets.sync.client import connect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_WAIT_S = 20
_REQUEST = "Network.requestWillBeSent"


class Tab:
    """One open page."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None, open_timeout=_WAIT_S)
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what the browser answers."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(_WAIT_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, page: Path) -> None:
        self.call("Page.navigate", url=page.as_uri())
        until(lambda: self.value("document.readyState") == "complete" and self.value("location.protocol") == "file:")

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, as a keyboard does."""
        for key in keys:
            text = {"text": key} if len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def shown(self, selector: str = "body") -> str:
        """Return the text that a person sees in the first element of a kind; empty where there is none."""
        return self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def asked(self) -> set[str]:
        """Return every address that the page asked for, but what it made itself."""
        self.value("1")
        sent = [event["params"]["request"]["url"] for event in self.events if event["method"] == _REQUEST]
        return {address for address in sent if not address.startswith("blob:")}

    def faults(self) -> list[str]:
        """Return what the page did wrong: exceptions, and refusals of its own policy."""
        self.value("1")
        return [str(event) for event in self.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]

    def close(self) -> None:
        self._socket.close()


class Chromium:
    """A browser with a folder of its own, and one for downloads."""

    def __init__(self, port: int, downloads: Path) -> None:
        self._port = port
        self._downloads = downloads

    def tab(self, page: Path) -> Tab:
        """Open a page in a new tab."""
        request = Request(f"http://127.0.0.1:{self._port}/json/new?{quote('about:blank')}", method="PUT")
        with urlopen(request, timeout=_WAIT_S) as answer:
            tab = Tab(json.load(answer)["webSocketDebuggerUrl"])
        tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self._downloads))
        tab.open(page)
        return tab

    def saved(self) -> list[Path]:
        """Return the files that were saved, the latest last."""
        return sorted(self._downloads.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)

    def downloaded(self, count: int) -> list[Path]:
        """Return the files that were saved, once there are so many, the latest last."""
        until(lambda: len(self.saved()) >= count)
        return self.saved()


@contextmanager
def chromium(folder: Path) -> Iterator[Chromium]:
    """Give a browser that begins with nothing, and ends with the block."""
    assert CHROMIUM is not None
    profile, downloads = folder / "profile", folder / "downloads"
    downloads.mkdir(parents=True)
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
    process = subprocess.Popen([CHROMIUM, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = profile / "DevToolsActivePort"
        until(lambda: port.is_file() and port.read_text().count("\n") > 0)
        yield Chromium(int(port.read_text().split()[0]), downloads)
    finally:
        process.terminate()
        process.wait(_WAIT_S)


def until(condition: Callable[[], Any]) -> None:
    """Wait until something is true. Raises AssertionError where it takes too long."""
    end = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
