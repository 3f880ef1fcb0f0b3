"""Responses: what is compared in a set."""

from dataclasses import dataclass
from typing import Annotated, ClassVar


@dataclass(frozen=True, slots=True)
class Response:
    """One answer to a query, with what is known of it."""

    text: Annotated[str, "The answer; empty where `turns` holds it all."]
    reward: Annotated[float | None, "Reward in the source's own units."] = None
    reasoning: Annotated[str | None, "The way to the answer, where it is known."] = None
    turns: Annotated[str | None, "JSON of the whole conversation, where the response is one."] = None
    model: Annotated[str | None, "Model that wrote the response, where the source says so."] = None
    origin: Annotated[str | None, "How the response came to be, where that is known."] = None
    tokens: Annotated[int | None, "Tokens of the response, where they were counted."] = None

    COLUMNS: ClassVar = ("text", "reasoning", "turns", "model", "origin", "reward", "tokens")

    @property
    def content(self) -> list[str | None]:
        """What makes the response this response: never its reward, model or origin."""
        return [self.text, self.reasoning, self.turns]
