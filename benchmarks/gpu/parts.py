"""Files in parts that a narrow way takes, and the files made of them again. Standard library only.

    python3 -m benchmarks.gpu.parts cut FOLDER CARRIED [MIB]
    python3 -m benchmarks.gpu.parts join CARRIED FOLDER

`cut` writes parts of at most so many MiB [56], and `parts.json` last. Parts may come in several deliveries: `join` says
which are missing.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

MIB = 56
"""What carries parts often ends at 64 MiB, the code included."""
LIST = "parts.json"


def cut(folder: Path, carried: Path, most: int) -> list[Path]:
    """Write every file of a folder in parts of at most so many bytes; return them, the list of all last."""
    carried.mkdir(parents=True, exist_ok=True)
    files: list[dict[str, Any]] = []
    written: list[Path] = []
    for place in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest, names = hashlib.sha256(), []
        with place.open("rb") as file:
            while part := file.read(most):
                digest.update(part)
                written.append(carried / f"{len(written):04}.part")
                written[-1].write_bytes(part)
                names.append(written[-1].name)
        files.append({"path": place.relative_to(folder).as_posix(), "sha256": digest.hexdigest(), "parts": names})
    written.append(carried / LIST)
    written[-1].write_text(json.dumps(files, indent=1) + "\n", "utf-8")
    return written


def join(carried: Path, folder: Path) -> list[Path]:
    """Make the files of their parts; return them. Raises SystemExit where parts are missing or damaged."""
    try:
        files = json.loads((carried / LIST).read_text("utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"{carried} holds no list of parts ({error}): carry its {LIST}, or cut the folder again")
    missing = [name for one in files for name in one["parts"] if not (carried / name).is_file()]
    if missing:
        sys.exit(f"{carried} lacks {len(missing)} parts, the first: {missing[0]}; carry them, too")
    made = []
    for one in files:
        target = folder / one["path"]
        if not target.resolve().is_relative_to(folder.resolve()):
            sys.exit(f"{carried / LIST} names {one['path']!r}, which lies outside; cut the folder again")
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for name in one["parts"]:
                part = (carried / name).read_bytes()
                digest.update(part)
                file.write(part)
        if digest.hexdigest() != one["sha256"]:
            target.unlink()
            sys.exit(f"{one['path']}: its parts are not those that were cut; carry {', '.join(one['parts'])} again")
        made.append(target)
    return made


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5) or sys.argv[1] not in ("cut", "join"):
        sys.exit(__doc__)
    _, verb, first, second, *size = sys.argv
    if verb == "cut":
        print(f"{len(cut(Path(first), Path(second), int((size or [MIB])[0]) << 20))} files in {second}")
    else:
        print(f"{len(join(Path(first), Path(second)))} files in {second}")
