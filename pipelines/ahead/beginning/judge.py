"""The judge that a recipe begins with: an address that answers, one model of it, and what it takes."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipelines.ahead.beginning.abilities import Abilities, abilities_of
from pipelines.ahead.endpoint import KeyRefused, NoModelList, ServedModel, served_models
from schemas.errors import EngineError, RecipeError
from schemas.recipe import ModelSection, recipe_of

TINY_SECONDS = 60.0
_SHOWN = 8


@dataclass(frozen=True)
class Judge:
    """An endpoint and its model, as far as both answered."""

    section: ModelSection
    key: str | None
    context: int | None
    context_from: str
    abilities: Abilities

    @property
    def url(self) -> str:
        return self.section.base_url[0]

    @property
    def where(self) -> str:
        return f"{self.section.model} at {self.url}"

    def lines(self) -> Iterator[str]:
        """Yield what a person wants to know of the endpoint."""
        known = f"context {self.context:,} tokens ({self.context_from})"
        yield f"judge     {self.where}: {'context unknown' if self.context is None else known}"
        for name, ability in self.abilities.by_name().items():
            yield f"          {name:<12} {ability.says}"

    def warnings(self) -> Iterator[str]:
        if name := self.abilities.other_name:
            yield (
                f"{self.url} answers as {name!r}, and was asked for {self.section.model!r}: its answers count as those "
                "of the recipe's model; where that is wrong, mend --judge or --model"
            )
        if not self.abilities.answered:
            yield (
                f"a request for a few words got no answer within {self.abilities.seconds:,.0f} s: what it takes "
                "is not known, and a build will take long; see its load, or take a smaller model"
            )


def judge_at(
    url: str, model: str | None, api_key_env: str | None, environment: Mapping[str, str], seconds: float
) -> Judge:
    """Return the judge at an address, asked for what it takes. Raises RecipeError and EngineError with the way out."""
    section = _section(url, model or "unknown", api_key_env)
    key = environment.get(api_key_env, "").strip() if api_key_env else None
    if api_key_env and not key:
        raise EngineError(f"--api-key-env: the variable {api_key_env} is not set; export {api_key_env}=.. first")
    address, listed = _listed(section.base_url[0], key, api_key_env, model)
    served = _chosen(address, listed, model)
    section = _section(address, served.name, api_key_env)
    abilities = abilities_of(section, key, min(TINY_SECONDS, seconds / 4))
    return Judge(section, key, served.context, served.context_from, abilities)


def _section(url: str, model: str, api_key_env: str | None) -> ModelSection:
    """Return the model's section. Raises RecipeError, which never shows an address that may hold a key."""
    grm: dict[str, Any] = {"engine": "openai", "model": model, "base_url": url}
    if api_key_env:
        grm["api_key_env"] = api_key_env
    tree = {"build": {"name": "begun", "sets": ["rft"]}, "sources": [{"kind": "teleqna"}], "models": {"grm": grm}}
    section = recipe_of(tree, Path(), name="--judge, --model, --api-key-env").models.grm
    assert section is not None
    return section


def _listed(url: str, key: str | None, api_key_env: str | None, model: str | None) -> tuple[str, list[ServedModel]]:
    """Return the address at which models are listed, and them; that of the API where /v1 was left out."""
    addresses = [url]
    if urlsplit(url).path.strip("/") == "":
        addresses.insert(0, f"{url.rstrip('/')}/v1")
    faults: list[EngineError | NoModelList] = []
    for address in addresses:
        try:
            return address, served_models(address, key, "mend --judge")
        except KeyRefused as error:
            words = f"set {api_key_env} to another" if api_key_env else "name its variable: --api-key-env NAME"
            raise EngineError(f"{error}; {words}") from None
        except (EngineError, NoModelList) as error:
            faults.append(error)
    if isinstance(faults[0], NoModelList):
        if model is not None:
            return addresses[0], [ServedModel(model)]
        raise EngineError(f"{faults[0]}: mend --judge, which usually ends in /v1, or name the model: --model NAME")
    raise EngineError(str(faults[0]))


def _chosen(url: str, listed: list[ServedModel], model: str | None) -> ServedModel:
    """Return the one model that is listed, or the one that was named."""
    names = [served.name for served in listed]
    shown = ", ".join(names[:_SHOWN]) + (", .." if len(names) > _SHOWN else "")
    if model is not None:
        if found := [served for served in listed if served.name == model]:
            return found[0]
        near = difflib.get_close_matches(model, names, n=1, cutoff=0.5)
        raise RecipeError(
            f"--model {model}: {url} serves {shown or 'no model'}{f'; did you mean {near[0]!r}?' if near else ''}"
        )
    if not listed:
        raise EngineError(f"{url} serves no model; load one there, or name it: --model NAME")
    if len(listed) > 1:
        raise RecipeError(f"{url} serves {len(listed)} models: {shown}; name one: --model NAME")
    return listed[0]
