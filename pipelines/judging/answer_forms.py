r"""The form that a server keeps a judge to, for judges that cannot hold one themselves: a regex, or a JSON schema.

A grammar of llama.cpp is the regex in another notation.

All hold exactly as many scores as the set has responses, in its range, and the headings that the template names on
lines of their own: `Specific Criteria:` and `Analysis:`. A template of the user's own may name neither; then lines of
any text stand before the verdict.

The text of the regex is bounded by paragraphs, and by nothing finer. On a vocabulary of 52,000, xgrammar compiles such
a regex in 47 ms and then takes 2 us a token; bounded by characters, 1.6 s and 18 us; by words, 2.5 ms a token. No line
of an analysis begins like "Scores": there the verdict begins, and a list that counts wrongly cannot pass for a line.
None begins like "Analysis" either, or outlines-core finds too many states. No look-around, no anchor and no back
reference: no back end of vLLM takes them.

The schema says all it has to say by `enum` and `required`, a key for each score. OpenAI and vLLM take `minItems` and
`minimum` too, yet Azure, Groq, Cerebras and Anthropic refuse `minItems`, and with it every request.

An answer in JSON is rendered into the text that the template asks for, so that whatever reads or trains on a judgement
meets one form, and one grammar decides its verdict: the scores are copied into `Scores: \boxed{..}` as the digits that
the model wrote, and read there. That line is the last one, so nothing that a critique says can stand in its place. What
is not exactly the JSON that was asked for is read as any other text.
"""

import json
import re
from functools import cache
from typing import Any, NamedTuple

from pipelines.judging.prompts import Template, score_range
from schemas.gbnf import gbnf_of
from schemas.record import clean_text
from schemas.strict_json import object_of

CRITERIA = "Specific Criteria:"
ANALYSIS = "Analysis:"
MOST_CRITERIA = 9
LINES, LINES_A_RESPONSE = 40, 4
"""Lines of an analysis at most, blank ones aside: so many, and so many more a response."""

_CRITERION = r"([1-9]\. [^\n(:]+ \(weight: (100|[1-9]?[0-9])%\): [^\n]+\n)"
_SCORE = re.compile("response_([1-9][0-9]{0,3})")
_PERCENT = re.compile(r"(100|[1-9]?[0-9])(?:\.0+)?")


@cache
def headings_of(template: Template) -> frozenset[str]:
    """Return which of the two headings the template has on a line of its own."""
    text = "\n".join([*(part.before for part in template.parts), template.ending])
    return frozenset({CRITERIA, ANALYSIS} & {line.strip() for line in text.split("\n")})


def form_in_body(
    kind: str, text: str | None, template: Template, n_responses: int, scale: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return what a request's body says of the form of its answer; nothing for "none".

    `text` is a regex of what stands before the verdict, in place of the one that follows from the template. The scale
    of the scores is that of `score_range` unless it is given.
    """
    if kind == "none":
        return {}
    return _form(kind, text, headings_of(template), n_responses, scale or score_range(n_responses))


@cache
def _form(
    kind: str, text: str | None, headings: frozenset[str], n_responses: int, scale: tuple[int, int]
) -> dict[str, Any]:
    if kind in ("regex", "grammar"):
        regex = judgement_regex(text, headings, n_responses, scale)
        return {"grammar": gbnf_of(regex)} if kind == "grammar" else {"structured_outputs": {"regex": regex}}
    schema = judgement_schema(headings, n_responses, scale)
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "judgement", **schema}}}


def judgement_regex(text: str | None, headings: frozenset[str], n_responses: int, scale: tuple[int, int]) -> str:
    """Return the regex of a whole judgement: `text`, or what the headings ask for, and the verdict."""
    before = _text(headings, n_responses) if text is None else f"({text})"
    score = "[01]" if scale == (0, 1) else "(10|[1-9])"
    further = f"(, {score}){{{n_responses - 1}}}" if n_responses > 1 else ""
    return rf"{before}Scores: \\boxed\{{{score}{further}\}}"


def _text(headings: frozenset[str], n_responses: int) -> str:
    criteria = rf"{CRITERIA}\n{_CRITERION}{{1,{MOST_CRITERIA}}}\n" if CRITERIA in headings else ""
    heading, line = (rf"{ANALYSIS}\n", _line("Scor", "Anal")) if ANALYSIS in headings else ("", _line("Scor"))
    return rf"{criteria}{heading}({line}){{1,{LINES + LINES_A_RESPONSE * n_responses}}}"


def _line(*words: str) -> str:
    """Return the regex of a line that begins like none of these words, a blank line behind it or none.

    Written out one by one: nested, the same alternatives cost xgrammar 20 ms at the beginning of every line.
    """
    openings = [rf"[^\n{''.join(word[0] for word in words)}]"]
    openings += [rf"{word[:end]}[^\n{word[end]}]" for word in words for end in range(1, len(word))]
    return "|".join(rf"{opening}[^\n]*\n\n?" for opening in openings)


def judgement_schema(headings: frozenset[str], n_responses: int, scale: tuple[int, int]) -> dict[str, Any]:
    """Return `strict` and the schema of a whole judgement, in the order in which it is to be written."""
    low, high = scale
    score = {"type": "integer", "enum": list(range(low, high + 1))}
    properties: dict[str, Any] = {
        "critique": {"type": "string", "description": "The analysis: what is to be written before the scores"},
        "scores": _closed({score_name(number): score for number in range(1, n_responses + 1)}),
    }
    if CRITERIA in headings:
        criterion = _closed(
            {
                "name": {"type": "string"},
                "description": {"type": "string", "description": "What it asks for here, on one line"},
                "weight": {"type": "integer", "description": "In percent; all weights add up to 100"},
            }
        )
        properties = {"principles": {"type": "array", "items": criterion}, **properties}
    return {"strict": True, "schema": _closed(properties)}


def score_name(number: int) -> str:
    """Return the key of a response's score, counted from 1 as shown."""
    return f"response_{number}"


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


class _Number(NamedTuple):
    """A number as it was written. No value is made of it here, however long or large it is."""

    written: str


def judgement_text(answer: str, headings: frozenset[str], n_responses: int) -> str | None:
    """Return the text of a judgement that is JSON; None where the answer is anything else. Never raises.

    A score too many or too few, or out of range, stands in the text too, and is found there.
    """
    body = answer.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].removeprefix("json")
    try:
        judgement = json.loads(body, object_pairs_hook=object_of, parse_int=_Number, parse_float=_Number)
        return clean_text(_judgement(judgement, headings, n_responses))
    except (ValueError, RecursionError):
        return None


def _judgement(judgement: Any, headings: frozenset[str], n_responses: int) -> str:
    """Return the text. Raises ValueError where the judgement is not of the form that was asked for."""
    names = ["principles", "critique", "scores"] if CRITERIA in headings else ["critique", "scores"]
    *principles, critique, scores = _members(judgement, *names)
    critique = _of(str, critique).strip()
    sections = [_criteria(_of(list, given)) for given in principles]
    sections.append(f"{ANALYSIS}\n{critique}" if ANALYSIS in headings else critique)
    sections.append(f"Scores: \\boxed{{{', '.join(_scores(_of(dict, scores), n_responses))}}}")
    return "\n\n".join(sections)


def _of(kind: type[Any], value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"not a {kind.__name__}")
    return value


def _members(value: Any, *names: str) -> list[Any]:
    """Return the members of an object that has these and no others."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise ValueError(f"not an object of {', '.join(names)}")
    return [value[name] for name in names]


def _criteria(principles: list[Any]) -> str:
    """Return the criteria as the template lays them out, an item a line.

    A weight that is no percentage is left out, and a criterion that has no name: no schema forbids them.
    """
    lines = [CRITERIA]
    for principle in principles:
        name, description, weight = _members(principle, "name", "description", "weight")
        name, description = (" ".join(_of(str, text).split()) for text in (name, description))
        percent = _PERCENT.fullmatch(_of(_Number, weight).written)
        share = f" (weight: {percent[1]}%)" if percent else ""
        if name:
            lines.append(f"{len(lines)}. {name}{share}: {description}")
    return "\n".join(lines)


def _scores(scores: dict[str, Any], n_responses: int) -> list[str]:
    """Return the scores as written, in the order shown; as many as there are."""
    numbered = {
        int(name[1]): _of(_Number, score).written for key, score in scores.items() if (name := _SCORE.fullmatch(key))
    }
    if len(numbered) < len(scores):
        raise ValueError("a score belongs to a response")
    if len(numbered) == n_responses and scores.keys() != set(map(score_name, range(1, n_responses + 1))):
        raise ValueError("scores of responses that were not shown")
    return [numbered[number] for number in sorted(numbered)]
