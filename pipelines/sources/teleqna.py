"""TeleQnA: 10,000 multiple-choice questions on telecommunications (arXiv 2310.15051).

    "question 1": {"question": "Which non-orthogonal multiple access scheme utilizes .. at the receiver?",
                   "option 1": "NOMA", "option 2": "PDMA", "option 3": "MUSA", "option 4": "MUST", "option 5": "SCMA",
                   "answer": "option 5: SCMA",
                   "explanation": "The SCMA scheme utilizes ..", "category": "Research publications"}

Hub id `netop/TeleQnA`, licence MIT, one AES zip with a published password; a local path is the zip or its plain text.
The authors ask that rows are not republished in plain text: `redistribution` is restricted. It is a benchmark.

A question's options are its responses: reward 1 for the right one, 0 for the others. The traps:

* five answers name no option (`answer_not_among_options`): number and text must both match;
* 26 rows ask only "Research Papers" (`no_question`);
* a question that stands twice with another right answer leaves in all its copies (`conflicting_gold`);
* "All of the above" is right in 740 of 824 cases, "None of the above" in 2 of 650 (`all_of_options`);
* "Both option 1 and option 2" means nothing once shuffled: `option_references` writes it out;
* 17 rows have two equal options (`duplicate_responses`);
* LaTeX with single backslashes, so that JSON reads `\\rho` as a carriage return and `ho`: mended.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.sources.archive import MAX_MEMBER, archive_member
from pipelines.sources.files import SourceFiles
from pipelines.sources.option_references import standing_options
from pipelines.sources.text import RowError, optional_text, shown, text_of
from schemas.errors import SourceError
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, UnreadableRow, preference_set
from schemas.query import user
from schemas.recipe import TeleQnA, TeleQnAShort, TeleQnATraces
from schemas.record import is_blank

HUB = "netop/TeleQnA"
PATTERNS = ("TeleQnA.zip", "TeleQnA.txt", "TeleQnA.json")
LICENSE = "MIT"
DOMAIN = "telecom"

_OPTION = re.compile(r"option (\d{1,2})")
_ANSWER = re.compile(r"\s*option (\d{1,2})\s*:\s*(.*)", re.DOTALL | re.IGNORECASE)

# Headings that stand where a question should; all that occurs is the first.
_HEADINGS = frozenset({"research papers", "research paper", "question", "questions"})

# JSON reads LaTeX's \beta, \frac, \rho and \text as these. A tab may also be one, so there the command must follow.
_BROKEN_ESCAPE = re.compile(
    "[\b\f\r](?=[A-Za-z])|\t(?=(?:anh|au|ext|frac|heta|ilde|imes|op|riangle)(?![a-z])|ext[a-z])"
)
_ESCAPES = {"\b": "\\b", "\f": "\\f", "\r": "\\r", "\t": "\\t"}

# Stands for a byte that is not UTF-8. Unicode keeps it out of interchange, so no readable row holds it.
_BAD_BYTE = "\ufdd0"

Pairs = list[tuple[str, Any]]
Section = TeleQnA | TeleQnAShort | TeleQnATraces


@dataclass(frozen=True, slots=True)
class Question:
    """One row as published, its texts cleaned."""

    source_id: str
    question: str
    options: dict[int, str]
    gold: int | None
    """Number of the right option; None where the answer matches none."""
    explanation: str
    category: str

    @property
    def key(self) -> str:
        """The question, for telling repeats."""
        return " ".join(self.question.casefold().split())

    @property
    def asks_nothing(self) -> bool:
        stripped = self.key.strip(" .:?")
        return is_blank(stripped) or stripped in _HEADINGS or stripped == self.category.casefold()


def read(section: TeleQnA, files: SourceFiles) -> Iterator[PreferenceSet | UnreadableRow]:
    """Return a set or an unreadable row for each question, in the file's order.

    Raises SourceError where the archive or the file as a whole cannot be read.
    """
    for row, conflicts in rows_with_conflicts(section, files):
        yield row if isinstance(row, UnreadableRow) else _set_of(row, section, files, conflicts)


def rows_with_conflicts(section: Section, files: SourceFiles) -> Iterator[tuple[Question | UnreadableRow, bool]]:
    """Return every row, and whether its question stands elsewhere with another right answer."""
    rows = list(questions(section, files))
    conflicts = _conflicting([row for row in rows if isinstance(row, Question)])
    for row in rows:
        yield row, isinstance(row, Question) and row.key in conflicts


def questions(section: Section, files: SourceFiles) -> Iterator[Question | UnreadableRow]:
    """Return every row as published."""
    if len(files.paths) != 1:
        raise SourceError(
            f"{section.kind}: {files.origin} has {len(files.paths)} copies of the data; give the path of one"
        )
    name, content = _content(files.paths[0], section.password)
    seen: Counter[str] = Counter()
    for key, value in _entries(name, content):
        seen[key] += 1
        source_id = shown(key).strip("'") if seen[key] == 1 else f"{shown(key)[1:-1]} ({seen[key]})"
        try:
            yield _question(source_id, key, value)
        except RowError as error:
            yield UnreadableRow(source_id, error.reason, error.detail)


def _content(path: Path, password: str) -> tuple[str, bytes]:
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip or path.suffix.lower() == ".zip":
        return archive_member(path, password, (".txt", ".json"))
    if path.stat().st_size > MAX_MEMBER:
        raise SourceError(f"{path.name}: larger than {MAX_MEMBER >> 20} MiB; TeleQnA has 7")
    return path.name, path.read_bytes()


def _entries(name: str, content: bytes) -> Pairs:
    """Return the (key, row) pairs of the one JSON object: pairs, because a dict would hide repeated keys."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = re.sub("[\udc80-\udcff]", _BAD_BYTE, text)
    if not text.strip():
        raise SourceError(f"{name}: holds no rows")
    try:
        pairs = json.loads(text, object_pairs_hook=_Pairs, strict=False)
    except RecursionError:
        raise SourceError(f"{name}: nests too deep to be read") from None
    except ValueError as error:
        raise SourceError(f"{name}: truncated or not valid JSON: {error}") from None
    if not isinstance(pairs, _Pairs):
        raise SourceError(f'{name}: not TeleQnA: one object with a key "question N" a row is expected')
    if not pairs:
        raise SourceError(f"{name}: holds no rows")
    return pairs


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs; a class of its own, to tell it from a JSON list."""


def _question(source_id: str, key: str, value: Any) -> Question:
    """Return the row of one entry. Raises RowError."""
    if not isinstance(value, _Pairs):
        raise RowError("not_an_object", f"the row is {shown(value)}")
    if len(dict(value)) < len(value):
        raise RowError("repeated_key", f"the row has the key {shown(_repeated(value))} twice")
    if _BAD_BYTE in key or any(isinstance(text, str) and _BAD_BYTE in text for pair in value for text in pair):
        raise RowError("invalid_utf8", "the row holds bytes that are not UTF-8")
    row = {name: _latex(text) if isinstance(text, str) else text for name, text in value}
    answer = row.get("answer")
    if not isinstance(answer, str) or is_blank(answer):
        raise RowError("no_answer", f"the answer is {shown(answer)}")
    options = {
        int(match[1]): text_of(row[name], name).strip()
        for name in row
        if (match := _OPTION.fullmatch(name)) is not None
    }
    if not options:
        raise RowError("no_options", "the row has no option")
    return Question(
        source_id=source_id,
        question=text_of(row.get("question"), "question").strip(),
        options=dict(sorted(options.items())),
        gold=_gold(text_of(answer, "answer"), options),
        explanation=(optional_text(row.get("explanation"), "explanation") or "").strip(),
        category=optional_text(row.get("category"), "category") or "",
    )


def _latex(text: str) -> str:
    """Return the text with the backslashes back that JSON took for escapes."""
    return _BROKEN_ESCAPE.sub(lambda match: _ESCAPES[match[0]], text)


def _repeated(pairs: Pairs) -> str:
    return Counter(key for key, _ in pairs).most_common(1)[0][0]


def _gold(answer: str, options: dict[int, str]) -> int | None:
    """Return the number of the option that the answer names by number and by text."""
    match = _ANSWER.fullmatch(answer)
    if match is None or int(match[1]) not in options:
        return None
    return int(match[1]) if _same(options[int(match[1])], match[2]) else None


def _same(option: str, answer: str) -> bool:
    return option.split() == answer.split()


def _conflicting(rows: list[Question]) -> set[str]:
    """Return the questions that stand more than once, with different right answers."""
    golds: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.gold is not None:
            golds[row.key].add(" ".join(row.options[row.gold].casefold().split()).rstrip("."))
    return {key for key, texts in golds.items() if len(texts) > 1}


def drop_reason(row: Question, conflicts: bool) -> DropReason | None:
    """Return why a row is set aside whatever form it takes: the first reason that applies."""
    if row.asks_nothing:
        return DropReason.NO_QUESTION
    if row.gold is None:
        return DropReason.ANSWER_NOT_AMONG_OPTIONS
    return DropReason.CONFLICTING_GOLD if conflicts else None


def _set_of(row: Question, section: TeleQnA, files: SourceFiles, conflicts: bool) -> PreferenceSet:
    standing = standing_options(row.question, row.options, section.keep_all_of)
    right = standing.texts[row.gold] if row.gold is not None else None
    return preference_set(
        query=user(row.question),
        responses=[
            Response(text, reward=None if row.gold is None else float(number == row.gold))
            for number, text in standing.texts.items()
        ],
        source=section.kind,
        source_id=row.source_id,
        source_revision=files.revision,
        license=LICENSE,
        domain=DOMAIN,
        label_source=LabelSource.HUMAN,
        reference=f"{right}\n\n{row.explanation}".rstrip() if right else None,
        benchmark=True,
        drop_reason=drop_reason(row, conflicts) or standing.drop_reason,
    )
