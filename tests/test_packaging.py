"""What pyproject.toml packs: an installed grmforge has every module and every file that a module reads."""

import tomllib
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]


def files() -> list[PurePath]:
    """Return the files of the packages, relative to the repository."""
    found = (path for top in ("schemas", "storage", "pipelines", "flows") for path in (ROOT / top).rglob("*"))
    return [path.relative_to(ROOT) for path in found if path.is_file() and "__pycache__" not in path.parts]


def test_every_package_is_packed() -> None:
    packages = {".".join(path.parent.parts) for path in files() if path.suffix == ".py"}
    assert packages == set(SETUPTOOLS["packages"])


def test_every_file_that_is_no_module_is_packed() -> None:
    for path in files():
        patterns = SETUPTOOLS["package-data"].get(".".join(path.parent.parts), [])
        assert path.suffix == ".py" or any(path.match(pattern) for pattern in patterns), path


def test_every_pattern_packs_a_file() -> None:
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package.replace(".", "/")).glob(pattern)), (package, pattern)
