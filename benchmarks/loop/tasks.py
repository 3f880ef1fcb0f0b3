"""The sets of the loop, made by program with exact labels: two responses to a question, one of which does what it asks.

A ladder of five rungs, each harder for a small model than the one before. With every set comes what a teacher would say
of it: a criterion, and a reason for each response.
"""

import json
import random
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

WORDS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text("utf-8"))
NUMBERS = {3: "three", 4: "four", 5: "five", 6: "six"}
FILES = ("warm", "gold", "train", "meta", "validation", "test")


class Task(NamedTuple):
    """A question with a right and a wrong response, and what a teacher says of them."""

    ask: str
    right: str
    wrong: str
    criterion: str
    """`Name: what is asked`, as it stands behind the number."""
    right_reason: str
    wrong_reason: str
    domain: str


def category(draw: random.Random) -> Task:
    """Items of the asked kind against as many of another kind."""
    kind, other = draw.sample(sorted(WORDS["kinds"]), 2)
    number = draw.choice(sorted(NUMBERS))
    right, wrong = _items(draw, kind, number), _items(draw, other, number)
    return Task(
        f"Name {NUMBERS[number]} {kind}.",
        ", ".join(right),
        ", ".join(wrong),
        f"Category: the items are {kind}",
        f"{right[0]}, {right[1]} are {kind}",
        f"{wrong[0]}, {wrong[1]} are {other}",
        kind,
    )


def language(draw: random.Random) -> Task:
    """A sentence in the asked language against the like in another."""
    asked, other = draw.sample(sorted(WORDS["languages"]), 2)
    right, wrong = draw.choice(WORDS["languages"][asked]), draw.choice(WORDS["languages"][other])
    criterion = f"Language: the sentence is in {asked}"
    return Task(f"Say something in {asked}.", right, wrong, criterion, f"it is {asked}", f"it is {other}", asked)


def count(draw: random.Random) -> Task:
    """The asked number of items against another number of them."""
    kind = draw.choice(sorted(WORDS["kinds"]))
    number, other = draw.sample(sorted(NUMBERS), 2)
    right, wrong = _items(draw, kind, number), _items(draw, kind, other)
    return Task(
        f"Name {NUMBERS[number]} {kind}.",
        ", ".join(right),
        ", ".join(wrong),
        f"Number: the list has {NUMBERS[number]} items",
        f"it has {NUMBERS[number]} items",
        f"it has {NUMBERS[other]} items",
        kind,
    )


def both(draw: random.Random) -> Task:
    """The asked number of items of the asked kind against a list that misses one of the two."""
    task = draw.choice((category, count))(draw)
    return task._replace(criterion=task.criterion.replace(task.criterion.partition(":")[0], "Request", 1))


def total(draw: random.Random) -> Task:
    """The right result of a sum of one step against a near one."""
    first, second = draw.randint(6, 49), draw.randint(3, 40)
    wrong = first + second + draw.choice((-10, -2, -1, 1, 2, 10))
    return Task(
        f"What is {first} plus {second}?",
        f"The result is {first + second}.",
        f"The result is {wrong}.",
        "Correctness: the sum is right",
        f"{first} plus {second} is {first + second}",
        f"{first} plus {second} is not {wrong}",
        "sums",
    )


RUNGS: Mapping[str, Callable[[random.Random], Task]] = {
    "category": category,
    "language": language,
    "count": count,
    "both": both,
    "total": total,
}


def write_tasks(folder: Path, rung: str, sizes: Mapping[str, int], seed: int, warm_errors: float = 0.0) -> None:
    """Write `<file>.jsonl` for each size, in the layout of preference_sets, and `gold.json`: what a teacher says.

    No scene of one file stands in another. `train` and `meta` differ by seed, all others stay: seeds share the warm
    judge and the test. Of the sets in `warm`, a share of `warm_errors` has the wrong label, and the teacher errs alike.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenes = _scenes()
    gold: dict[str, Any] = {}
    begin = 0
    for name in FILES:
        draw = random.Random(f"{rung}|{name}|{seed if name in ('train', 'meta') else 0}")
        lines = []
        for number, scene in enumerate(scenes[begin : begin + sizes[name]]):
            task = RUNGS[rung](draw)
            query = f"{scene} {task.ask}"
            if name == "warm" and random.Random(f"error|{query}").random() < warm_errors:
                task = task._replace(right=task.wrong, wrong=task.right)
                task = task._replace(right_reason=task.wrong_reason, wrong_reason=task.right_reason)
            lines.append(
                {
                    "id": f"{name}-{number}",
                    "query": query,
                    "chosen": task.right,
                    "rejected": task.wrong,
                    "domain": task.domain,
                }
            )
            reasons = {task.right: task.right_reason, task.wrong: task.wrong_reason}
            gold[query] = {"criterion": task.criterion, "right": task.right, "reasons": reasons}
        begin += sizes[name]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    if begin > len(scenes):
        raise ValueError(f"the words give {len(scenes)} different scenes, and {begin} are asked for")
    (folder / "gold.json").write_text(json.dumps(gold), "utf-8")


def gold_judgement(gold: Mapping[str, Any], prompt: str) -> str:
    """Return what a teacher answers to a judge's prompt. Raises KeyError where the prompt is about no known set."""
    query = max((query for query in gold if query in prompt), key=len)
    known = gold[query]
    shown = sorted(known["reasons"], key=lambda response: prompt.rindex(f"]\n{response}\n[The End"))
    best = 1 + shown.index(known["right"])
    draw = random.Random(query)
    scores = [draw.randint(7, 10) if place == best else draw.randint(1, 4) for place in (1, 2)]
    name, _, meaning = known["criterion"].partition(": ")
    reasons = " ".join(
        f"Response {place}: {known['reasons'][text]}, {'yes' if place == best else 'no'}."
        for place, text in enumerate(shown, 1)
    )
    return (
        f"Specific Criteria:\n1. {name} (weight: 100%): {meaning}\n\n"
        f"Analysis:\n{reasons} Response {best} is better.\n\n"
        f"Scores: \\boxed{{{scores[0]}, {scores[1]}}}"
    )


def _items(draw: random.Random, kind: str, number: int) -> list[str]:
    return draw.sample(WORDS["kinds"][kind], number)


def _scenes() -> list[str]:
    """Return every scene once, in a drawn order."""
    parts = WORDS["scenes"]
    scenes = [
        f"{person} {doing} in {place}."
        for person in parts["people"]
        for doing in parts["doings"]
        for place in parts["places"]
    ]
    random.Random(0).shuffle(scenes)
    return scenes
