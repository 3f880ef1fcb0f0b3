"""Tulu 3 8B preference mixture: 271,409 pairs as Messages, from seven data sets (arXiv 2411.15124).

    {"id": "..", "source": "ai2-adapt-dev/sft_v3.9_used_off_policy", "prompt": "Name a prime.",
     "chosen": [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "7 is one."}],
     "rejected": [{"role": "user", "content": "Name a prime."}, {"role": "assistant", "content": "9 is one."}]}

The part is kept as the responses' `origin`. The rewards are 1 and 0, or `chosen_rating` and `rejected_rating` in the
mixtures that have them. The traps:

* the parts have licences of their own, some of them non-commercial: ODC-BY is that of the mixture;
* one part has UltraFeedback's prompts with other answers, and prompts repeat between parts: they come into one cluster,
  so no split divides them. `where = "source not like '%ultrafeedback%'"` leaves that part out;
* equal ratings are a `tie`, and a lower one for the chosen answer `scores_contradict`;
* answers of one policy stand against those of others, so a model can be told by its style: see the report on leaks.
"""

from pipelines.sources.pair_sets import set_of_pair
from pipelines.sources.source import Origin, Source
from pipelines.sources.text import Row, short_text
from schemas.preference import LabelSource, PreferenceSet
from schemas.recipe import SourceSection


def _set_of(section: SourceSection, row: Row, origin: Origin) -> PreferenceSet:
    return set_of_pair(row, origin, label_source=LabelSource.MODEL, part=short_text(row.get("source"), "source"))


SOURCE = Source(
    kind="tulu3",
    hub="allenai/llama-3.1-tulu-3-8b-preference-mixture",
    other_hubs=(
        "allenai/llama-3.1-tulu-3-70b-preference-mixture",
        "allenai/llama-3.1-tulu-3-405b-preference-mixture",
    ),
    patterns=("*.parquet", "*.jsonl", "*.jsonl.gz"),
    license="ODC-BY-1.0",
    unit="pair",
    rows=271_409,
    make=_set_of,
)
