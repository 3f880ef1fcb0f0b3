"""A root in a bucket keeps what a local one keeps, and says what is wrong with a bucket."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.loopback_s3 import LoopbackS3
from schemas.errors import RecipeError, StorageError
from schemas.generation import Completion, Request
from storage.generations import Generations
from storage.journal import JournalWriter, segments
from storage.root import Root
from tests.storage.answers import a_request, an_answer

Opener = Callable[[str], Root]


@pytest.fixture
def on_machine(s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Return a function that opens the test's own root as the machine of a name does."""

    def opened(machine: str) -> Root:
        for name, value in s3.environment(f"{tmp_path.name}-{machine}").items():
            monkeypatch.setenv(name, value)
        return Root.open(f"s3://forge/{tmp_path.name}")

    return opened


@pytest.fixture(params=["local", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Root:
    if request.param == "local":
        return Root.open(str(tmp_path / "root"))
    opened: Root = request.getfixturevalue("on_machine")("one")
    return opened


def test_an_object_is_put_whole_and_read_again(root: Root) -> None:
    root.write("a/b=1/c", b"one")
    root.write("a/b=1/c", b"three")
    assert (root.read("a/b=1/c"), root.size("a/b=1/c"), root.exists("a/b=1/c")) == (b"three", 5, True)
    assert (root.size("a/b=1/d"), root.exists("a/b=1"), root.exists("a")) == (None, False, False)
    with pytest.raises(StorageError, match=r"a/b=1/d: No such"):
        root.read("a/b=1/d")


def test_a_file_becomes_an_object_only_when_its_block_ends_well(root: Root) -> None:
    with root.replacing("a/file") as temporary:
        temporary.write_bytes(b"whole")
    with pytest.raises(KeyError), root.replacing("a/other") as temporary:
        temporary.write_bytes(b"half")
        raise KeyError
    assert root.names("a") == ["file"]
    assert root.at("a/file").read_bytes() == b"whole"


def test_names_and_folders_are_those_directly_under_a_key(root: Root) -> None:
    for key in ("a/2.parquet", "a/1.parquet", "a/1.arrows", "a/.hidden", "a/b/3.parquet", "ab/4.parquet", "top"):
        root.write(key, b"")
    assert root.names("a", ".parquet") == ["1.parquet", "2.parquet"]
    assert root.names("a") == ["1.arrows", "1.parquet", "2.parquet"]
    assert (root.folders("a"), root.folders(""), root.names("")) == (["b"], ["a", "ab"], ["top"])
    assert (root.names("none"), root.folders("none")) == ([], [])


def test_a_removed_object_is_gone_and_removing_it_again_is_well(root: Root) -> None:
    root.write("a", b"x")
    root.at("a")
    root.remove("a")
    root.remove("a")
    assert not root.exists("a")


def test_a_link_holds_the_same_bytes(root: Root) -> None:
    root.write("a", b"rows")
    root.link("a", "there/b")
    assert root.read("there/b") == b"rows"
    with pytest.raises(StorageError, match=r"there/c: No such"):
        root.link("absent", "there/c")


def test_of_many_that_create_or_replace_an_object_one_succeeds(root: Root) -> None:
    def race(act: Callable[[bytes], bool]) -> list[bytes]:
        won: list[bytes] = []

        def run(mark: bytes) -> None:
            if act(mark):
                won.append(mark)

        threads = [threading.Thread(target=run, args=(str(number).encode(),)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return won

    [first] = race(lambda mark: root.create("lease", mark))
    assert root.read("lease") == first
    [second] = race(lambda mark: root.replace_if("lease", first, b"then " + mark))
    assert root.read("lease") == b"then " + second
    assert not root.replace_if("none", b"", b"new")


def test_what_one_machine_puts_another_reads(on_machine: Opener) -> None:
    here, there = on_machine("here"), on_machine("there")
    assert here.path != there.path
    with here.replacing("table.parquet") as temporary:
        temporary.write_bytes(b"rows")
    assert there.at("table.parquet").read_bytes() == b"rows"
    here.write("LATEST", b"1")
    assert there.read("LATEST") == b"1"
    here.write("LATEST", b"2")
    assert there.read("LATEST") == b"2"


@pytest.mark.slow
def test_answers_are_in_the_bucket_before_their_writer_ends_and_folded_by_whoever_comes(on_machine: Opener) -> None:
    here, there = on_machine("here"), on_machine("there")
    requests = [_answered(number) for number in range(40)]
    with JournalWriter(here, "run") as journal:
        for request, completion in requests[:30]:
            journal.append(request, completion)
        journal.flush()
        assert len(_known(there, requests)) == 30
        for request, completion in requests[30:]:
            journal.append(request, completion)
    assert _known(there, requests) == _known(here, requests) == {one.request_id for one, _ in requests}
    assert segments(here) == []


@pytest.mark.slow
def test_two_that_fold_at_once_lose_nothing_and_count_nothing_twice(on_machine: Opener) -> None:
    here, there = on_machine("here"), on_machine("there")
    requests = [_answered(number) for number in range(60)]
    for request, completion in requests:
        with JournalWriter(here, "run") as journal:
            journal.append(request, completion)
    folders = [threading.Thread(target=Generations, args=(root,)) for root in (here, there)]
    for thread in folders:
        thread.start()
    for thread in folders:
        thread.join()
    rows = sum(Generations(here).table(bucket).num_rows for bucket in range(256))
    assert (rows, len(_known(there, requests))) == (60, 60)


@pytest.mark.slow
def test_answers_that_a_bucket_will_not_take_are_kept_and_brought_in_later(
    s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    s3.make_bucket("doomed")
    root = Root.open("s3://doomed/root")
    requests = [_answered(number) for number in range(5)]
    with pytest.raises(StorageError, match=r"there is no bucket doomed.*5 answers are kept in .*unsent"):  # noqa: SIM117
        with JournalWriter(root, "run") as journal:
            for request, completion in requests:
                journal.append(request, completion)
            s3.remove_bucket("doomed")
            journal.flush()
    with pytest.raises(StorageError, match="there is no bucket doomed"):
        Root.open("s3://doomed/root")
    s3.make_bucket("doomed")
    assert len(_known(Root.open("s3://doomed/root"), requests)) == 5
    s3.remove_bucket("doomed")


def _answered(number: int) -> tuple[Request, Completion]:
    asked = a_request(number)
    return asked, an_answer(asked)


def _known(root: Root, requests: list[tuple[Request, Completion]]) -> set[str]:
    generations = Generations(root)
    found = {request_id for bucket in range(256) for request_id in generations.lookup(bucket)}
    return found & {completion.request_id for _, completion in requests}


class _Refusing(BaseHTTPRequestHandler):
    """Answers as S3 does to a key that it does not know."""

    def do_PUT(self) -> None:
        body = b"<Error><Code>InvalidAccessKeyId</Code><Message>unknown</Message></Error>"
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_wrong_credentials_are_named_with_the_way_out(
    refusing: str, s3: LoopbackS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing)
    with pytest.raises(StorageError, match=r"^root s3://forge/x: bucket forge refuses .*AWS_ACCESS_KEY_ID") as caught:
        Root.open("s3://forge/x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["s3://", "s3:///prefix", "s3://bucket/../x", "s3://bucket/a?b=c", "s3://bucket/a%20b", "gs://bucket/x"]
)
def test_an_address_that_is_none_is_a_wrong_recipe(address: str) -> None:
    with pytest.raises(RecipeError, match=r"s3://bucket/prefix"):
        Root.open(address)


@pytest.mark.parametrize(("name", "mark"), [("t.parquet", b"PAR1"), ("t.arrow", b"ARROW1")])
def test_a_copy_that_was_damaged_is_fetched_again(on_machine: Opener, name: str, mark: bytes) -> None:
    root = on_machine("one")
    with root.replacing(name) as temporary:
        temporary.write_bytes(mark + b" rows " + mark)
    for damaged in (b"garbage", mark + b" rows", b""):
        root.at(name).write_bytes(damaged)
        assert root.at(name).read_bytes() == mark + b" rows " + mark


def test_a_cache_that_cannot_be_written_is_what_is_named(
    s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    root = Root.open(f"s3://forge/{tmp_path.name}")
    root.write("a", b"x")
    root.path.mkdir(parents=True)
    (root.path / "objects").write_bytes(b"a file")
    with pytest.raises(StorageError, match=r"export GRMFORGE_CACHE="):
        root.at("a")


def test_a_process_without_a_home_needs_only_the_place_of_its_copies(
    s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name, value in s3.environment(tmp_path.name).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("GRMFORGE_CACHE", str(tmp_path / "copies"))
    monkeypatch.setattr(Path, "home", no_home)
    assert Root.open(f"s3://forge/{tmp_path.name}").path.parent == tmp_path / "copies"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("AWS_ENDPOINT_URL", "127.0.0.1:9", "AWS_ENDPOINT_URL=127.0.0.1:9: write it as http"),
        ("AWS_SECRET_ACCESS_KEY", "", "root s3://forge/x: .*SecretAccessKey"),
        ("AWS_ACCESS_KEY_ID", "", "root s3://forge/x: .*AccessKeyId"),
    ],
)
def test_half_an_address_or_half_a_key_is_one_line(
    s3: LoopbackS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    for name, given in (s3.environment(tmp_path.name) | {variable: value}).items():
        monkeypatch.setenv(name, given)
    if not value:
        monkeypatch.delenv(variable)
    with pytest.raises(RecipeError, match=says) as caught:
        Root.open("s3://forge/x")
    assert "\n" not in str(caught.value)
