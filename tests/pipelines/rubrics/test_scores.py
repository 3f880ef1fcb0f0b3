"""BM25 among candidates: telling words count, common ones do not, and the order of a set changes nothing."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pipelines.rubrics.scores import shared_words, words


def scores(query: str, *candidates: str) -> list[float]:
    return shared_words(words(query).keys(), [words(candidate) for candidate in candidates])


def test_a_rare_shared_word_counts_more_than_one_that_most_candidates_have() -> None:
    rare, common, none = scores("AMF cell", "AMF here", "cell core", "cell radio")
    assert rare > common == none > 0
    assert scores("amf", "AMF", "SMF") == scores("AMF", "amf", "smf") == [1, 0]
    assert scores("nothing", "AMF", "SMF") == [0, 0]
    assert scores("What is it?", "what is it") == [0]
    assert scores("x") == []


def test_the_best_counts_one_unless_all_share_little() -> None:
    assert max(scores("narrow beam of the cell", "narrow beam of a cell", "radio", "core")) == 1
    assert max(scores("narrow beam of one large cell site", "radio site", "core", "other")) < 0.5


def test_a_word_that_comes_again_counts_more_and_a_longer_text_less() -> None:
    twice, once, long, _ = scores("beam", "beam beam x", "beam x y", "beam " + "x " * 30, "other")
    assert twice > once > long > 0


@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))
def test_any_texts_have_scores_that_are_not_negative(query: str, candidates: list[str]) -> None:
    found = scores(query, *candidates)
    assert len(found) == len(candidates)
    assert all(0 <= score <= 1 for score in found)


SCORED = """
from pipelines.rubrics.scores import shared_words, words
texts = [" ".join(f"w{n * 7 % 31}" for n in range(start, start + 25)) for start in range(9)]
print(shared_words(words(" ".join(texts)).keys(), list(map(words, texts))))
"""


def test_every_process_finds_the_same_scores() -> None:
    found = {
        subprocess.check_output([sys.executable, "-c", SCORED], env={"PYTHONHASHSEED": seed}, text=True)
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1
