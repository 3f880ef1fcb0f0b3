"""Every trainer that a snapshot can be exported for."""

import difflib
from importlib import import_module

from pipelines.exporting.trainer import Trainer
from schemas.errors import RecipeError

MODULES = ("trl", "verl", "openrlhf", "llamafactory", "swift", "axolotl", "slime", "nemo_rl", "skyrl")
"""Modules of this room that have a `TRAINER`, in the order in which messages and docs list them."""

_TRAINERS: list[Trainer] = [import_module(f"pipelines.exporting.{module}").TRAINER for module in MODULES]
TRAINERS = {trainer.name: trainer for trainer in _TRAINERS}


def trainer_of(name: str) -> Trainer:
    """Return the trainer of a name. Raises RecipeError, which names the nearest one and all of them."""
    if name in TRAINERS:
        return TRAINERS[name]
    near = difflib.get_close_matches(name.lower(), TRAINERS, n=1, cutoff=0.5)
    meant = f" did you mean {near[0]}?" if near else ""
    raise RecipeError(f"--to {name}: no such trainer;{meant} there are: {', '.join(TRAINERS)}")
