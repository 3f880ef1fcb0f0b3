"""HH-RLHF: 169,352 pairs of transcripts, of which people found one more helpful or less harmful (arXiv 2204.05862).

    {"chosen": "\\n\\nHuman: Name a prime.\\n\\nAssistant: 7",
     "rejected": "\\n\\nHuman: Name a prime.\\n\\nAssistant: 9"}

Four folders are read: `harmless-base`, `helpful-base`, `helpful-online` and `helpful-rejection-sampled`; `config` names
one of them. `red-team-attempts` has no pairs. The folder is kept as the responses' `origin`. The traps:

* the two share a beginning: the query is what both begin with, up to a turn of the user. Some part before the last
  turn, and then the answer is all turns from there. Those that share no turn are unreadable (`no_prompt`);
* a text that does not begin with `Human:` and go on with `Assistant:` is unreadable (`no_transcript`), one that ends
  with a turn of `Human:` too (`bad_response`);
* some answers are empty, and some pairs the same (`empty_response`, `duplicate_responses`);
* `harmless-base` prefers what is harmless, even where it says nothing: do not judge both parts by one prompt unless you
  mean to. `config = "helpful-base"` takes one;
* rows of the official test files stay test.
"""

from pipelines.sources.answers import dialogue
from pipelines.sources.pair_sets import set_of_pair
from pipelines.sources.pairs import PAIR
from pipelines.sources.source import Origin, Source, split_of
from pipelines.sources.text import Row, RowError, filled_text
from schemas.preference import LabelSource, PreferenceSet
from schemas.recipe import SourceSection

_FOLDERS = ("harmless-base", "helpful-base", "helpful-online", "helpful-rejection-sampled")


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
    turns = {key: dialogue(filled_text(row.get(key), key)) for key in PAIR}
    if missing := [key for key, read in turns.items() if read is None]:
        raise RowError("no_transcript", f"{missing[0]} does not begin with 'Human:' and 'Assistant:'")
    part = next((folder for folder in _FOLDERS if f"{folder}/" in origin["source_id"]), None)
    return set_of_pair(turns, origin, label_source=LabelSource.HUMAN, part=part, split=split_of(origin))


SOURCE = Source(
    kind="hh_rlhf",
    hub="Anthropic/hh-rlhf",
    patterns=tuple(
        f"{folder}{name}.jsonl{packed}"
        for folder in (*(f"{folder}/" for folder in _FOLDERS), "")
        for name in ("train", "test")
        for packed in ("", ".gz")
    ),
    license="MIT",
    unit="pair",
    rows=169_352,
    make=_set_of,
)
