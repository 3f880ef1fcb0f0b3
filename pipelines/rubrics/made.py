"""What a run of rubric making came to, for people and scripts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.synthesis.asking import Asked
from schemas.rubric import Rubric


@dataclass(frozen=True)
class Made:
    """What a run of rubric making came to."""

    questions: int
    """How many questions were to have a rubric."""
    kept_before: int
    """Of these, those whose rubric stays as it is."""
    rubrics: tuple[Rubric, ...]
    """Made, or tried again, in this run."""
    unwritten: tuple[str, ...]
    """Questions for which no readable rubric came, however often it was asked for: query_id and first words."""
    malformed: Mapping[str, int]
    """Answers that could not be read, by what was asked for and the reason, first attempts among them."""
    asked: Asked

    def as_json(self) -> dict[str, Any]:
        rubrics = Counter(str(one.drop_reason or "kept") for one in self.rubrics)
        return {
            "questions": self.questions,
            "kept_before": self.kept_before,
            "made": len(self.rubrics),
            "rubrics": dict(sorted(rubrics.items())),
            "criteria": dict(sorted(drop_counts(self.rubrics).items())),
            "unwritten": list(self.unwritten),
            "malformed": dict(sorted(self.malformed.items())),
            "model": self.asked.facts() | {"cached": max(0, self.asked.requests - self.asked.bought)},
        }

    def as_text(self) -> str:
        """Return it for a terminal."""
        found = self.as_json()
        lines = [
            f"{self.questions:,} questions: {self.kept_before:,} have their rubric, {len(self.rubrics):,} made or tried"
        ]
        for what in ("rubrics", "criteria"):
            if found[what]:
                lines.append(f"{what}: {', '.join(f'{rows:,} {reason}' for reason, rows in found[what].items())}")
        if self.unwritten:
            lines.append(f"questions without a rubric: {len(self.unwritten):,}, the first: {self.unwritten[0]}")
        lines += [f"{what}: {rows:,} answers" for what, rows in found["malformed"].items()]
        if self.asked.requests:
            lines.append(
                f"{self.asked.requests:,} requests, {self.asked.bought:,} of them new, ${self.asked.cost_usd:,.4f}"
            )
        return "\n".join(lines)


def drop_counts(rubrics: Sequence[Rubric]) -> Counter[str]:
    """Return how many criteria each reason dropped, and how many were kept."""
    return Counter(str(one.drop_reason or "kept") for each in rubrics for one in each.criteria)
