"""Roots of both kinds."""

from collections.abc import Iterator

import pytest

from benchmarks.loopback_s3 import LoopbackS3, serving_s3


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackS3]:
    """Return a running S3 server with an empty bucket."""
    with serving_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server
