"""Archives are locked, damaged and hostile; each comes to one clear line, and nothing is written."""

import struct
import zipfile
from pathlib import Path

import pytest
import pyzipper

from pipelines.sources.archive import archive_member
from schemas.errors import SourceError

TEXT = b'{"question 1": {}}' * 2000
ENDINGS = (".txt", ".json")


def locked(path: Path, members: dict[str, bytes], password: bytes = b"open sesame") -> Path:
    with pyzipper.AESZipFile(path, "w", compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password)
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, password: str | None = "open sesame") -> str:
    with pytest.raises(SourceError) as raised:
        archive_member(path, password, ENDINGS)
    message = str(raised.value)
    assert "\n" not in message
    assert str(path.parent) not in message
    return message


def test_the_one_text_is_read_from_memory(tmp_path: Path) -> None:
    path = locked(tmp_path / "a.zip", {"readme.md": b"x", "TeleQnA.txt": TEXT, "__MACOSX/._TeleQnA.txt": b"x"})
    assert archive_member(path, "open sesame", ENDINGS) == ("TeleQnA.txt", TEXT)


def test_a_plain_zip_needs_no_password(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", TEXT)
    assert archive_member(tmp_path / "a.zip", None, ENDINGS) == ("a.json", TEXT)


def test_a_missing_or_wrong_password_is_named(tmp_path: Path) -> None:
    path = locked(tmp_path / "a.zip", {"a.txt": TEXT})
    assert "needs its password" in refusal(path, None)
    assert "needs its password" in refusal(path, "")
    assert "password is wrong" in refusal(path, "sesame open")


def test_the_old_zip_encryption_is_no_exception(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", TEXT)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[6] |= 1  # the flag of an encrypted member, in the local header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert "password is wrong" in refusal(tmp_path / "a.zip")


def test_every_truncation_is_one_line(tmp_path: Path) -> None:
    whole = locked(tmp_path / "a.zip", {"a.txt": TEXT}).read_bytes()
    for length in range(0, len(whole) - 1, 7):
        (tmp_path / "cut.zip").write_bytes(whole[:length])
        refusal(tmp_path / "cut.zip")


def test_every_damaged_byte_is_one_line_or_the_text(tmp_path: Path) -> None:
    whole = locked(tmp_path / "a.zip", {"a.txt": TEXT}).read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        (tmp_path / "bad.zip").write_bytes(damaged)
        try:
            _, content = archive_member(tmp_path / "bad.zip", "open sesame", ENDINGS)
        except SourceError as error:
            assert "\n" not in str(error)
        else:
            assert content == TEXT


def test_what_is_no_zip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>not found</html>")
    assert "not a zip archive" in refusal(tmp_path / "a.zip")
    assert "cannot be read" in refusal(tmp_path / "b.zip")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = locked(tmp_path / "bomb.zip", {"a.txt": bytes(64 << 20)})
    assert path.stat().st_size < 100_000
    assert "not unpacked" in refusal(path)


def test_a_bomb_that_declares_less_than_it_holds_is_stopped(tmp_path: Path) -> None:
    path = locked(tmp_path / "bomb.zip", {"a.txt": bytes(8 << 20)})
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, directory + 24, 100_000)
    path.write_bytes(content)
    assert "more than the 100,000 bytes it declares" in refusal(path)


def test_tricky_names_are_never_written(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("../../evil.txt", "/etc/evil.txt", "..\\evil.txt"):
        path = locked(inside / "a.zip", {name: TEXT})
        assert archive_member(path, "open sesame", ENDINGS)[1] == TEXT
        assert [found.name for found in tmp_path.rglob("*.txt")] == []


@pytest.mark.parametrize("members", [{}, {"a.csv": TEXT}, {"a.txt": TEXT, "b.json": TEXT}])
def test_it_must_be_clear_which_member_is_meant(tmp_path: Path, members: dict[str, bytes]) -> None:
    assert "where one is expected" in refusal(locked(tmp_path / "a.zip", members))


def test_an_archive_of_thousands_of_members_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(1001):
            archive.writestr(f"{number}.txt", b"")
    assert "1,001 members" in refusal(tmp_path / "a.zip")
