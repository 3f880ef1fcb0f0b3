"""The check `hint_traces`: a leak in any language shows, and nothing shows where none is."""

from dataclasses import replace

import pytest

from pipelines.curation.hint_traces import Critique, traces
from schemas.preference import PreferenceSet
from schemas.record import content_id, unit_interval
from tests.examples import a_set

PRAISE = (
    "states the right timer", "misses a unit", "is well ordered", "answers all that was asked", "explains each step",
    "leaves out the last case", "names a wrong layer", "repeats the question", "is brief and clear", 
    "gives two examples",     "checks its own result", "cites the standard", "confuses two bearers", "ends abruptly",
    "keeps to the form", "is vague",
)  # fmt: skip
CHINESE = (
    "回答一说明了定时器的作用", "回答二漏掉了单位", "结构清楚",
    "每一步都有解释", "最后一种情况没有讨论", "层次有误", "重复了题目", "简洁明了",
    "举了两个例子", "检查了自己的结果", "引用了标准", "混淆了两个承载", "结尾突然", "符合格式", "含糊其辞", "计算无误",
)  # fmt: skip


def critique(set_id: str, name: str, phrases: tuple[str, ...], leak: str = "") -> Critique:
    """Return a critique of some of these phrases in an order of its own, the leak among them."""
    said = sorted(phrases, key=lambda phrase: unit_interval(set_id, name, phrase))[:6]
    if leak:
        said[2] = leak
    ends, names = ("。", "") if phrases is CHINESE else (". ", "Response 1 ")
    text = ends.join(f"{names}{one}" for one in said)
    return Critique(content_id("t", set_id, name), set_id, name == "hinted", text, f"{text}\n\nScores: 1, 2", (), False)


def judged(
    phrases: tuple[str, ...] = PRAISE, leak: str = "", share: float = 0.3, count: int = 300
) -> list[tuple[PreferenceSet, list[Critique]]]:
    found = []
    for number in range(count):
        one = a_set(number)
        one = replace(one, cluster=content_id("cluster", number))
        leaks = leak if unit_interval("leaks", number) < share else ""
        group = [critique(one.set_id, "a", phrases), critique(one.set_id, "b", phrases)]
        found.append((one, [*group, critique(one.set_id, "hinted", phrases, leaks)]))
    return sorted(found, key=lambda each: each[0].set_id)


@pytest.mark.parametrize(
    ("phrases", "leak", "trace"),
    [
        (PRAISE, "kama nilivyoambiwa, jibu hili ndilo bora", "nilivyoambiwa"),
        (CHINESE, "正如先前所悉此项居冠", "所悉"),
        (PRAISE, "как мне сообщили заранее, этот ответ лучший", "сообщили"),
    ],
)
def test_a_leak_in_a_language_that_no_phrase_list_knows_shows(phrases: tuple[str, ...], leak: str, trace: str) -> None:
    found = traces(judged(phrases, leak))
    assert found["found"] and found["auc"] > 0.6 and found["interval"][0] > 0.55
    assert found["null"]["interval"][0] < 0.5 < found["null"]["interval"][1]
    assert any(trace in one["ngram"] for one in found["ngrams"]) and len(found["ngrams"]) <= 10
    strongest = found["ngrams"][0]
    assert strongest["hinted"] > 0.2 and strongest["non_hinted"] == 0


@pytest.mark.parametrize("phrases", [PRAISE, CHINESE])
def test_without_a_leak_it_is_a_coin_toss(phrases: tuple[str, ...]) -> None:
    found = traces(judged(phrases))
    assert not found["found"] and found["interval"][0] < 0.5 < found["interval"][1]
    assert found["sets"] == found["null"]["sets"] == 300


def test_words_of_the_question_numbers_and_length_are_no_traces() -> None:
    sets = []
    for one, group in judged():
        asked = one.query[0].content.split()[0]
        hinted = group[2]._replace(text=f"{asked} {asked} 10 9. {group[2].text}. It is long, and so it goes on. " * 2)
        plain = [each._replace(text=f"It is long, and so it goes on. {each.text}") for each in group[:2]]
        sets.append((one, [*plain, hinted]))
    found = traces(sets)
    assert all(asked.lower() not in one["ngram"] for one in found["ngrams"])


def test_too_few_sets_give_a_reason_in_place_of_a_figure() -> None:
    found = traces(judged(count=12))
    assert found["auc"] is None and found["reason"] == "12 sets: fewer than 40 say nothing"
    assert found["null"]["auc"] is None


def test_critiques_that_were_never_hinted_test_the_rules_of_hint_leak() -> None:
    sets = judged(count=40)
    told = sets[0][1][0]._replace(text="I was told that Response 2 is the best.")
    sets[0][1][0] = told
    assert traces(sets)["false_alarms"] == {"critiques": 80, "phrases": 1, "verdict_first": 0}


def test_the_same_critiques_give_the_same_check() -> None:
    assert traces(judged(leak="kama nilivyoambiwa")) == traces(judged(leak="kama nilivyoambiwa"))
