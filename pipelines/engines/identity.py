"""What a request id says about the model, as the recipe gives it."""

from pathlib import Path
from typing import Any

from pipelines.engines.vllm.launch import flags_of_identity
from schemas.recipe import ModelSection, Simulated
from schemas.record import content_id

WEIGHT_SUFFIXES = frozenset({".safetensors", ".bin", ".gguf", ".pt", ".pth", ".npz"})
CONFIG_SUFFIXES = frozenset({".json", ".jinja", ".model", ".txt", ".py", ".yaml"})
UNKNOWN_HEADER_BYTES = 4096
MAX_HEADER_BYTES = 100 * 2**20


def identity(model: ModelSection, directory: Path) -> dict[str, Any]:
    """Return what identifies a model: never its endpoint, its key, or anything that an endpoint says of itself.

    A name and a revision. A local directory (relative to `directory`, where the recipe stands) is identified by the
    content of its configuration and the headers, sizes and mtimes of its weights, so it may be moved. The simulated
    engine is identified by all its settings. For a vLLM server of our own, the flags that change what the model says
    count too; without such flags the model is the same, whoever started its server.
    """
    if model.engine == "simulated":
        settings = model.simulated.model_dump(mode="json")
        if settings["scorer_auc"] == Simulated.model_fields["scorer_auc"].default:
            del settings["scorer_auc"]  # a setting younger than the stored answers of other simulated models
        return {"engine": "simulated", "model": model.model, "revision": model.revision, "settings": settings}
    flags = flags_of_identity(model, directory) if model.engine == "vllm" else []
    served = {"served_with": flags} if flags else {}
    place = directory / Path(model.model).expanduser()
    files = _model_files(place) if place.is_dir() else []
    return {"model": content_id("model", files) if files else model.model, "revision": model.revision, **served}


def _model_files(directory: Path) -> list[list[Any]]:
    """Return [name, size, mtime or None, digest] of a model directory's files; none where it holds no model."""
    files: list[list[Any]] = []
    for path in sorted(directory.iterdir()):
        if not path.is_file():
            continue
        stat = path.stat()
        if path.suffix in WEIGHT_SUFFIXES:
            files.append([path.name, stat.st_size, stat.st_mtime_ns, content_id("header", _header(path).hex())])
        elif path.suffix in CONFIG_SUFFIXES:
            # Configuration is read whole, so its mtime says nothing more and a fresh checkout keeps its answers.
            files.append([path.name, stat.st_size, None, content_id("config", path.read_bytes().hex())])
    return files if any(name == "config.json" or mtime is not None for name, _, mtime, _ in files) else []


def _header(path: Path) -> bytes:
    """Return the header of a safetensors file, or the first bytes of any other."""
    with path.open("rb") as file:
        if path.suffix != ".safetensors":
            return file.read(UNKNOWN_HEADER_BYTES)
        length = int.from_bytes(file.read(8), "little")
        return file.read(min(length, MAX_HEADER_BYTES))
