"""TeleQnA: 10,000 multiple-choice questions on telecommunications (arXiv 2310.15051).

    "question 1": {"question": "Which non-orthogonal multiple access scheme utilizes .. at the receiver?",
                   "option 1": "NOMA", "option 2": "PDMA", "option 3": "MUSA", "option 4": "MUST", "option 5": "SCMA",
                   "answer": "option 5: SCMA",
                   "explanation": "The SCMA scheme utilizes ..", "category": "Research publications"}

The hub has one AES zip with a published password; a local path is the zip, or the `.txt` or `.json` out of it. Nothing
is unpacked to disk. An archive that would grow beyond 256 MiB, or beyond 16 MiB and more than 200 times, is not read.
It is a benchmark: a share is always test. A question's options are its responses: reward 1 for the right one, 0 for the
others; the reference is the right option and the explanation. Of 10,000 rows **8,722** are kept. The traps, in the
order in which they count:

* 26 rows ask only "Research Papers" (`no_question`);
* five answers name no option (`answer_not_among_options`): number and text must both match;
* a question stands twice, but for case and spaces, with another right answer: all its copies leave (`conflicting_gold`,
  44 rows);
* "All of the above" is right in 740 of 824 cases, "None of the above" in 2 of 650 (`all_of_options`, 1,186 rows).
  `keep_all_of` keeps them as "All of the other answers", but for 4 questions with an option below that is not meant
  (`unresolved_reference`);
* "Both option 1 and option 2" means nothing once shuffled: written out, "Both of these: Low latency; High throughput".
  "Both 1 and 2" is left where options read "1" and "2", or where the question speaks of them;
* 17 rows have two equal options (`duplicate_responses`);
* LaTeX with single backslashes, so that JSON reads `\\rho` as a carriage return and `ho`: mended, in 6 rows.

None of the published rows is unreadable. Others may be: `no_answer`, `no_options`, `repeated_key`. A key "question N"
that stands twice is two rows.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.sources.archive import MAX_MEMBER, archive_member
from pipelines.sources.files import SourceFiles
from pipelines.sources.option_references import standing_options
from pipelines.sources.rows import json_value
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import RowError, optional_text, shown, text_of
from schemas.errors import SourceError
from schemas.preference import DropReason, LabelSource, PreferenceSet, Response, UnreadableRow, preference_set
from schemas.query import user
from schemas.recipe import Flag, SourceSection
from schemas.record import is_blank

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


class TeleQnAArchive(SourceSection):
    """What the sections of all forms of TeleQnA have."""

    password: str = "teleqnadataset"
    """Password of the archive, as its authors publish it."""


class TeleQnA(TeleQnAArchive):
    """Keys of a `teleqna` section."""

    keep_all_of: Flag = False
    """Keep questions with an "all of the above" or "none of the above" option, reworded to stand by themselves."""


@dataclass(frozen=True, slots=True)
class PublishedQuestion:
    """One row as published, its texts cleaned."""

    question: str
    options: dict[int, str]
    gold: int | None
    """Number of the right option; None where the answer matches none."""
    explanation: str
    category: str
    drop_reason: DropReason | None = None
    """Why the row is set aside, whatever form it takes."""

    @property
    def key(self) -> str:
        """The question, for telling repeats."""
        return " ".join(self.question.casefold().split())

    def reference(self, right: str | None) -> str | None:
        """Return the right answer in these words, and the explanation."""
        return f"{right}\n\n{self.explanation}".rstrip() if right else None


def published_rows(
    section: TeleQnAArchive, files: SourceFiles
) -> Iterator[tuple[str, PublishedQuestion | UnreadableRow]]:
    """Return (source_id, row) of every row, in the file's order.

    Raises SourceError where the archive or the file as a whole cannot be read.
    """
    rows = list(_rows(section, files))
    answers: defaultdict[str, set[str]] = defaultdict(set)
    for _, row in rows:
        if isinstance(row, PublishedQuestion) and row.gold is not None:
            answers[row.key].add(" ".join(row.options[row.gold].casefold().split()).rstrip("."))
    for source_id, row in rows:
        if isinstance(row, PublishedQuestion):
            row = replace(row, drop_reason=_drop_reason(row, len(answers[row.key]) > 1))
        yield source_id, row


def _drop_reason(row: PublishedQuestion, conflicts: bool) -> DropReason | None:
    asked = row.key.strip(" .:?")
    if is_blank(asked) or asked in _HEADINGS or asked == row.category.casefold():
        return DropReason.NO_QUESTION
    if row.gold is None:
        return DropReason.ANSWER_NOT_AMONG_OPTIONS
    return DropReason.CONFLICTING_GOLD if conflicts else None


def _rows(section: TeleQnAArchive, files: SourceFiles) -> Iterator[tuple[str, PublishedQuestion | UnreadableRow]]:
    if len(files.paths) != 1:
        raise SourceError(
            f"{section.kind}: {files.origin} has {len(files.paths)} copies of the data; give the path of one"
        )
    seen: Counter[str] = Counter()
    for key, value in _entries(*_content(files.paths[0], section.password)):
        seen[key] += 1
        source_id = shown(key).strip("'") if seen[key] == 1 else f"{shown(key)[1:-1]} ({seen[key]})"
        try:
            yield source_id, _published(key, value)
        except RowError as error:
            yield source_id, error.row(source_id)


def _content(path: Path, password: str) -> tuple[str, bytes]:
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if is_zip or path.suffix.lower() == ".zip":
        return archive_member(path, password, (".txt", ".json"))
    if path.stat().st_size > MAX_MEMBER:
        raise SourceError(f"{path.name}: larger than {MAX_MEMBER >> 20} MiB; TeleQnA has 7")
    return path.name, path.read_bytes()


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, because a dict would hide repeated keys; a class, to tell it from a JSON list."""


def _entries(name: str, content: bytes) -> _Pairs:
    """Return the (key, row) pairs of the one JSON object."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    pairs = json_value(re.sub("[\udc80-\udcff]", _BAD_BYTE, text), name, _Pairs, strict=False)
    if not isinstance(pairs, _Pairs):
        raise SourceError(f'{name}: not TeleQnA: one object with a key "question N" a row is expected')
    if not pairs:
        raise SourceError(f"{name}: holds no rows")
    return pairs


def _published(key: str, pairs: Any) -> PublishedQuestion:
    """Return the row of one entry. Raises RowError."""
    if not isinstance(pairs, _Pairs):
        raise RowError("not_an_object", f"the row is {shown(pairs)}")
    if len(dict(pairs)) < len(pairs):
        ((repeated, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise RowError("repeated_key", f"the row has the key {shown(repeated)} twice")
    if _BAD_BYTE in key or any(isinstance(text, str) and _BAD_BYTE in text for pair in pairs for text in pair):
        raise RowError("invalid_utf8", "the row holds bytes that are not UTF-8")
    # The backslashes come back that JSON took for the beginnings of escapes.
    row = {
        name: _BROKEN_ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], text) if isinstance(text, str) else text
        for name, text in pairs
    }
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
    return PublishedQuestion(
        question=text_of(row.get("question"), "question").strip(),
        options=dict(sorted(options.items())),
        gold=_gold(text_of(answer, "answer"), options),
        explanation=(optional_text(row.get("explanation"), "explanation") or "").strip(),
        category=optional_text(row.get("category"), "category") or "",
    )


def _gold(answer: str, options: dict[int, str]) -> int | None:
    """Return the number of the option that the answer names by number and by text."""
    match = _ANSWER.fullmatch(answer)
    number = int(match[1]) if match else None
    return number if match and number in options and options[number].split() == match[2].split() else None


def _set_of(section: TeleQnA, row: PublishedQuestion, origin: Origin) -> PreferenceSet:
    standing = standing_options(row.question, row.options, section.keep_all_of)
    return preference_set(
        query=user(row.question),
        responses=[
            Response(text, reward=None if row.gold is None else float(number == row.gold))
            for number, text in standing.texts.items()
        ],
        label_source=LabelSource.HUMAN,
        reference=row.reference(standing.texts[row.gold] if row.gold is not None else None),
        drop_reason=row.drop_reason or standing.drop_reason,
        **origin,
    )


SOURCE = Source(
    kind="teleqna",
    section=TeleQnA,
    hub="netop/TeleQnA",
    patterns=("TeleQnA.zip", "TeleQnA.txt", "TeleQnA.json"),
    license="MIT",
    domain="telecom",
    benchmark=True,
    signature="teleqna",
    redistribution="restricted",
    unit="question",
    rows=10_000,
    items=published_rows,
    make=_set_of,
)
