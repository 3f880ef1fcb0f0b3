"""Whether a model can be a scorer, as far as its configuration tells. Nothing heavy is imported."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from pipelines.engines.scorer.replies import CLASSES
from schemas.errors import EngineError
from schemas.recipe import ModelSection

HEAD = "ForSequenceClassification"
_PACKAGES = ("torch", "transformers")


def check_packages() -> None:
    """Raise EngineError where the packages are missing that load a model here."""
    if missing := [name for name in _PACKAGES if find_spec(name) is None]:
        raise EngineError(
            f'engine = "score" without a base_url loads the model here, and {" and ".join(missing)} is not installed: '
            "pip install 'grmforge[meta_rm]', or serve the model and give its base_url"
        )


def check_config(config: Mapping[str, Any], name: str) -> None:
    """Raise EngineError where a configuration is not that of a classifier of one class or two."""
    architectures = config.get("architectures") or []
    if not any(str(one).endswith(HEAD) for one in architectures):
        raise EngineError(
            f"model {name} is {', '.join(map(str, architectures)) or 'of no known kind'}, not a {HEAD[3:]} model: its "
            "scores would come from a head of random numbers"
        )
    classes = config.get("num_labels") or len(config.get("id2label") or "ab")
    if classes not in CLASSES:
        raise EngineError(f"model {name} tells {classes} classes apart; a scorer has one class, or two")


def local_scorer_in_words(model: ModelSection, directory: Path) -> str:
    """Say that a directory holds a scorer; it is not loaded. Raises EngineError."""
    check_packages()
    place = directory / Path(model.model).expanduser()
    try:
        config = orjson.loads((place / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise EngineError(f"model {model.name}: {place}/config.json cannot be read: {error}") from None
    check_config(config if isinstance(config, dict) else {}, model.name)
    return f"{model.name} is a classifier in {place}"
