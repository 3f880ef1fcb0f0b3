"""Rubrics: what an answer to a query is judged by, criterion by criterion."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from schemas.explained import Explained
from schemas.query import Messages
from schemas.record import clean_text, content_id
from schemas.tables import Table, members_of, quoted, records_of, table_of

MAX_POINTS = 10
MAX_CRITERIA = 40
"""Criteria of one rubric at most; published ones have 7 to 20 (METHOD section 7)."""
MAX_CRITERION = 2_000
"""Characters of one criterion at most: it is one sentence, or a few."""
MAX_TAG = 100
"""Characters of a tag at most."""
MAX_CASE = 100_000
"""Characters of a case's text at most. An embedding model reads only its beginning."""
_SHORT_RESPONSE = 300


class InvalidRubric(ValueError):
    """No rubric can be made of this: `reason` is what it is counted by, `detail` one line on this one."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class CriterionKind(Explained):
    """What a criterion says of an answer."""

    RULE = "rule", "a hard rule: an answer meets it or is wrong"
    PRINCIPLE = "principle", "a quality that a better answer has more of"
    PITFALL = "pitfall", "a mistake; an answer that makes it loses points"


class Origin(Explained):
    """Where a rubric comes from."""

    SEED = "seed", "the library that ships, or one of the user's own in the same form"
    GENERATED = "generated", "written by a model for one query"


class CriterionDrop(Explained):
    """Why a criterion is not used, though its rubric is."""

    MET_BY_ALL = "met_by_all", "nearly every answer meets it: it tells nothing apart"
    MET_BY_NONE = "met_by_none", "nearly no answer meets it"
    PREFERS_WORSE = "prefers_worse", "worse answers meet it more often than the best one"
    NEAR_DUPLICATE = "near_duplicate", "it says what another criterion of the rubric says"
    PANEL_TOO_SMALL = "panel_too_small", "too few answers were judged for a hit rate"


class RubricDrop(Explained):
    """Why a whole rubric is not used."""

    NO_CRITERIA = "no_criteria", "none of its criteria was kept"
    INCONSISTENT = (
        "inconsistent",
        "its weighted sum does not rank the known best answer first on answers its generator did not see",
    )
    PANEL_TOO_SMALL = "panel_too_small", "too few answers were judged to tell"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing to look for in an answer. Make one with `criterion`, which checks and identifies it."""

    criterion_id: Annotated[str, "Hash of the text alone: the same sentence in two rubrics is one criterion."]
    text: Annotated[str, "The criterion, one line."]
    points: Annotated[int, "-10..10, never 0; below 0 for a pitfall."]
    kind: Annotated[
        CriterionKind,
        "`rule` (an answer meets it or is wrong), `principle` (a better answer has more of it) or `pitfall` (a "
        "mistake).",
    ]
    tags: Annotated[tuple[str, ...], "Free words."] = ()
    origin: Annotated[str, "Who wrote it: a model, or the source of a seed."] = ""
    hit_rate: Annotated[float | None, "Share of the panel's answers that meet it; null where it was not judged."] = None
    label_consistency: Annotated[
        float | None,
        "Share of the panel's comparisons in which it does not prefer the worse answer to the known best one.",
    ] = None
    drop_reason: Annotated[CriterionDrop | None, f"Why it is not used: {quoted(CriterionDrop)}; null where it is."] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Rubric:
    """The criteria for one query. Make one with `rubric`, which checks and identifies it."""

    rubric_id: Annotated[str, "Hash of the query_id, the origin, and each criterion's text, points and kind."]
    query_id: str
    cluster: Annotated[str, "The query's cluster when the rubric was made; it may have grown since."]
    case: Annotated[
        str, "The question as it is indexed: its turns, then its short responses, in the order of their content."
    ]
    domain: str
    source: str
    license: str
    origin: Annotated[Origin, "`seed`: from a library. `generated`: written by a model for this query."]
    criteria: Annotated[
        tuple[Criterion, ...], "What an answer is judged by. A dropped one keeps its place and its reason."
    ]
    panel: Annotated[int | None, "How many answers the criteria were judged on."] = None
    label_consistency: Annotated[
        float | None, "Share of the panel's rankings in which the weighted sum puts the known best answer first."
    ] = None
    trial: Annotated[
        str | None,
        "Hash of the settings under which a panel last tried it; null for seeds, and where an answer is still missing.",
    ] = None
    rests_on: Annotated[
        tuple[str, ...], "Other queries on whose labelled answers it was written or tried; it is never given to them."
    ] = ()
    drop_reason: Annotated[
        RubricDrop | None, f"Why the whole rubric is not used: {quoted(RubricDrop)}; null where it is."
    ] = None

    @property
    def kept(self) -> tuple[Criterion, ...]:
        """The criteria in use: none where the rubric itself is dropped."""
        return () if self.drop_reason else tuple(item for item in self.criteria if item.drop_reason is None)


def criterion(
    text: str,
    points: int,
    kind: CriterionKind | str,
    *,
    tags: Sequence[str] = (),
    origin: str = "",
    hit_rate: float | None = None,
    label_consistency: float | None = None,
    drop_reason: CriterionDrop | None = None,
) -> Criterion:
    """Return a checked criterion. Raises InvalidRubric."""
    line = " ".join(clean_text(text).split()) if isinstance(text, str) else ""
    if not any(map(str.isalnum, line)):
        raise InvalidRubric("empty_criterion", "a criterion has no text")
    if len(line) > MAX_CRITERION:
        raise InvalidRubric("criterion_too_long", f"{_head(line)} has {len(line):,} characters, {MAX_CRITERION:,} fit")
    if type(points) is not int or not 0 < abs(points) <= MAX_POINTS:
        raise InvalidRubric("points_out_of_range", f"{_head(line)} has points {_head(points)}: -10..10, and not 0")
    if kind not in tuple(CriterionKind):
        raise InvalidRubric("unknown_kind", f"{_head(line)} is of kind {_head(kind)}: {', '.join(CriterionKind)}")
    if (kind == CriterionKind.PITFALL) != (points < 0):
        raise InvalidRubric("sign_of_points", f"{_head(line)} is a {kind} with points {points}: pitfalls are below 0")
    if not all(isinstance(tag, str) and len(tag) <= MAX_TAG for tag in tags):
        raise InvalidRubric("bad_tag", f"{_head(line)} has a tag that is no text of at most {MAX_TAG} characters")
    return Criterion(
        criterion_id=content_id("criterion", line),
        text=line,
        points=points,
        kind=CriterionKind(kind),
        tags=tuple(clean_text(tag) for tag in tags),
        origin=origin,
        hit_rate=hit_rate,
        label_consistency=label_consistency,
        drop_reason=drop_reason,
    )


def rubric(
    *,
    query_id: str,
    case: str,
    domain: str,
    source: str,
    license: str,
    origin: Origin,
    criteria: Sequence[Criterion],
    cluster: str | None = None,
    panel: int | None = None,
    label_consistency: float | None = None,
    drop_reason: RubricDrop | None = None,
) -> Rubric:
    """Return a checked rubric; its cluster is the query's own unless given. Raises InvalidRubric."""
    if not criteria:
        raise InvalidRubric("no_criteria", f"the rubric of {_head(case)} has no criteria")
    if len(criteria) > MAX_CRITERIA:
        raise InvalidRubric("too_many_criteria", f"the rubric of {_head(case)} has {len(criteria)}, {MAX_CRITERIA} fit")
    ids = [item.criterion_id for item in criteria]
    if len(set(ids)) < len(ids):
        twice = next(item for index, item in enumerate(criteria) if item.criterion_id in ids[:index])
        raise InvalidRubric("repeated_criterion", f"the rubric of {_head(case)} has {_head(twice.text)} twice")
    if not case.strip():
        raise InvalidRubric("no_case", f"the rubric of query {query_id} says nothing of the question")
    return Rubric(
        rubric_id=content_id("rubric", query_id, origin, [[item.text, item.points, item.kind] for item in criteria]),
        query_id=query_id,
        cluster=cluster or query_id,
        case=clean_text(case)[:MAX_CASE],
        domain=domain,
        source=source,
        license=license,
        origin=origin,
        criteria=tuple(criteria),
        panel=panel,
        label_consistency=label_consistency,
        drop_reason=drop_reason,
    )


def case_text(query: Messages, responses: Sequence[str] = ()) -> str:
    """Return a question as cases are indexed and searched: its turns, then its short responses.

    The options of a multiple-choice question say what it is about; long responses would drown it. On TeleQnA the
    options raise what is found first (docs/rubrics.md). `responses` stand in the order of their content, as in a
    set, so that nothing tells which is best.
    """
    short = sorted(text for text in responses if len(text) <= _SHORT_RESPONSE)
    return "\n".join([*(message.content for message in query if message.role != "system"), *short])


def _head(value: Any) -> str:
    text = repr(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..'"


RUBRICS_TABLE = Table(
    "rubrics",
    members_of(Rubric),
    "What answers to one query are judged by. It belongs to the root: the truth that the pools are indexed from. A "
    "snapshot whose judges were given criteria holds those that were made of its questions.",
    {"made": "rubrics of these questions, with their hit rates; dropped criteria have their reason"},
    "`<root>/rubrics/*.parquet`; in a snapshot `rubrics/made-*.parquet`",
)
RUBRICS = RUBRICS_TABLE.schema
"""Criteria stand inside their rubric's row: a rubric is written whole or not at all."""

rubrics_table = partial(table_of, RUBRICS)
"""Return the rubrics, in the order given, as a table of RUBRICS."""
rubrics_of = partial(records_of, Rubric)
"""Return the records of a table of RUBRICS, in its order."""
