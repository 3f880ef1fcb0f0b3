"""BM25 among candidates: telling words count, common ones do not, and the order of a set changes nothing."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pipelines.rubrics.lexical import bm25, words


def scores(query: str, *candidates: str) -> list[float]:
    return bm25(words(query).keys(), [words(candidate) for candidate in candidates])


def test_a_rare_shared_word_counts_more_than_one_that_all_candidates_have() -> None:
    rare, common, none = scores("the AMF", "an AMF", "the core", "of radio")
    assert rare == common > none == 0
    rare, common, _ = scores("the AMF", "AMF here", "the core", "the radio")
    assert rare > common > 0
    assert scores("amf", "AMF", "SMF") == scores("AMF", "amf", "smf")
    assert scores("nothing", "AMF", "SMF") == [0, 0]


def test_a_word_that_comes_again_counts_more_and_a_longer_text_less() -> None:
    twice, once, long, _ = scores("beam", "beam beam x", "beam x y", "beam " + "x " * 30, "other")
    assert twice > once > long > 0


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))
def test_any_texts_have_scores_that_are_not_negative(query: str, candidates: list[str]) -> None:
    found = scores(query, *candidates)
    assert len(found) == len(candidates)
    assert all(score >= 0 for score in found)


SCORED = """
from pipelines.rubrics.lexical import bm25, words
texts = [" ".join(f"w{n * 7 % 31}" for n in range(start, start + 25)) for start in range(9)]
print(bm25(words(" ".join(texts)).keys(), list(map(words, texts))))
"""


def test_every_process_finds_the_same_scores() -> None:
    found = {
        subprocess.check_output([sys.executable, "-c", SCORED], env={"PYTHONHASHSEED": seed}, text=True)
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
