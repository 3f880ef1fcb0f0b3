"""One file out of a password-protected archive, read into memory and never written anywhere."""

import lzma
import struct
import zlib
from pathlib import Path
from typing import Any

from schemas.errors import SourceError

MAX_MEMBER = 256 << 20
"""Bytes that a member may unpack to, as declared and as found."""

MAX_RATIO = 200
"""How many times a member may grow beyond `RATIO_FROM`. TeleQnA grows 5 times; zeros in a zip bomb 1,000 times."""

RATIO_FROM = 16 << 20

MAX_MEMBERS = 1000

_BLOCK = 1 << 20


def archive_member(path: Path, password: str | None, endings: tuple[str, ...]) -> tuple[str, bytes]:
    """Return (name, content) of the archive's one file with one of the `endings`, of AES or of plain zip.

    The name comes from the archive; nothing is ever written under it. Raises SourceError: not a zip, truncated,
    a missing or wrong password, a bomb, or not exactly one such file.
    """
    import pyzipper  # the import takes 65 ms, and most builds read no archive

    name = path.name
    try:
        with pyzipper.AESZipFile(path) as archive:
            info = _only_member(name, archive, endings)
            return info.filename, _content(name, archive, info, password)
    except SourceError:
        raise
    except pyzipper.BadZipFile as error:
        raise SourceError(f"{name}: not a zip archive, or a truncated or damaged one ({error})") from None
    except (EOFError, LookupError, ValueError, OverflowError, struct.error, zlib.error, lzma.LZMAError) as error:
        raise SourceError(f"{name}: the archive is truncated or damaged ({type(error).__name__}: {error})") from None
    except RuntimeError as error:
        # zipfile has no class for it: "Bad password for file .." and "File .. is encrypted, password required".
        if "password" not in str(error).lower():
            raise SourceError(f"{name}: the archive cannot be read: {error}") from None
        raise SourceError(f"{name}: the archive's password is {'wrong' if password else 'missing'}") from None
    except OSError as error:
        raise SourceError(f"{name}: the archive cannot be read: {error.strerror or error}") from None


def _only_member(name: str, archive: Any, endings: tuple[str, ...]) -> Any:
    """Return the one member with one of the endings; copies that macOS adds do not count."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"{name}: has {len(members):,} members; the published archive has one")
    named = [
        info
        for info in members
        if not info.is_dir()
        and info.filename.lower().endswith(endings)
        and not info.filename.rsplit("/", 1)[-1].startswith("._")
        and not info.filename.startswith("__MACOSX/")
    ]
    if len(named) != 1:
        raise SourceError(f"{name}: has {len(named)} members that end in {' or '.join(endings)}, where one is expected")
    return named[0]


def _content(name: str, archive: Any, info: Any, password: str | None) -> bytes:
    """Return the content of a member. Raises SourceError for a bomb, and for another size than it declares."""
    declared = info.file_size
    if info.flag_bits & 1 and not password:
        raise SourceError(f"{name}: the archive needs its password; give password = '..' in the recipe")
    if declared > MAX_MEMBER or declared > max(RATIO_FROM, MAX_RATIO * info.compress_size):
        raise SourceError(
            f"{name}: its member would unpack to {declared:,} bytes from {info.compress_size:,}; "
            f"not unpacked: at most {MAX_MEMBER >> 20} MiB and {MAX_RATIO} times are"
        )
    # The reader stops at the declared size, without a check of what it read; one byte more shows what lies beyond.
    info.file_size += 1
    content = bytearray()
    with archive.open(info, pwd=password.encode() if password else None) as file:
        # In blocks: bzip2 and LZMA unpack all that they are fed, however much it becomes.
        while len(content) <= declared and (block := file.read(_BLOCK)):
            content += block
    if len(content) > declared:
        raise SourceError(f"{name}: its member unpacks to more than the {declared:,} bytes it declares")
    if len(content) < declared:
        raise SourceError(f"{name}: its member holds {len(content):,} of {declared:,} bytes; download it again")
    return bytes(content)
