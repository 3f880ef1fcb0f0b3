"""A stand-in for the Hugging Face hub on loopback: the four routes that `snapshot_download` asks for."""

import hashlib
import json
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

from tests.pipelines.engines.stand_in_server import JSON_TYPE, Received, Reply, Server

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandInHub(Server):
    """Data sets by id, each a mapping of file names to contents, all at one commit with the branch `main`.

    Whoever changes contents changes the commit.
    """

    def __init__(
        self,
        datasets: dict[str, dict[str, bytes]],
        gated: Iterable[str] = (),
        failing: Iterable[str] = (),
        commit: str = COMMIT,
    ) -> None:
        super().__init__()
        self.datasets = datasets
        self.gated = gated
        self.failing = failing
        self.commit = commit

    @property
    def endpoint(self) -> str:
        return self.url.removesuffix("/v1")

    @property
    def paths(self) -> list[str]:
        """Every path that was wanted."""
        return [_path_of(received) for received in self.requests]

    def reply(self, received: Received) -> Reply:
        parts = _path_of(received).strip("/").removeprefix("api/").split("/")
        name, rest = "/".join(parts[1:3]), "/".join(parts[5:])
        route, revision, *_ = [*parts[3:5], "", ""]
        files = self.datasets.get(name, {})
        if name in self.failing:
            return Reply(500, b"{}")
        if name in self.gated:
            return _refused(403, "GatedRepo")
        if parts[0] != "datasets" or name not in self.datasets:
            return _refused(404, "RepoNotFound")
        if revision not in ("main", self.commit):
            return _refused(404, "RevisionNotFound")
        if route == "revision":
            siblings = [{"rfilename": file} for file in files]
            return Reply(body=json.dumps({"id": name, "sha": self.commit, "siblings": siblings}).encode())
        if route == "tree":
            tree = [
                {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for file, content in files.items()
            ]
            return Reply(body=json.dumps(tree).encode())
        if route == "resolve" and rest in files:
            etag = f'"{hashlib.sha1(files[rest]).hexdigest()}"'
            headers = {"X-Repo-Commit": self.commit, "ETag": etag, "Content-Type": "application/octet-stream"}
            return Reply(body=files[rest], headers=headers)
        return _refused(404, "EntryNotFound")


def _refused(status: int, code: str) -> Reply:
    return Reply(status, b"{}", JSON_TYPE | {"X-Error-Code": code, "X-Error-Message": "refused"})


def _path_of(received: Received) -> str:
    return unquote(urlsplit(received.path).path)
