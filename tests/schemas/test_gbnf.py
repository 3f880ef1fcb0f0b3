"""A regex as a grammar of llama.cpp."""

import pytest

from pipelines.ahead.beginning.trials import SHORT_TEXT
from pipelines.judging.answer_forms import form_in_body, judgement_regex
from pipelines.judging.prompts import load_template
from schemas.errors import RecipeError
from schemas.gbnf import gbnf_of
from tests.examples import a_recipe


@pytest.mark.parametrize(
    ("regex", "grammar"),
    [
        (r"blue [0-9]{3} green", '"blue " [0-9] {3} " green"'),
        (r"a\n\n?", r'"a\n" "\n" ?'),  # what is repeated is one letter, not the text before it
        (r"(ab|c)+(?:\.|x){1,2}", '( "ab" | "c" ) + ( "." | "x" ) {1,2}'),
        (r"\d[\w\-\]^]*", r"[0-9] [a-zA-Z0-9_\x2D\]^] *"),
        (r'[^\n"]"\\boxed\{', r'[^\n"] "\"\\boxed{"'),
        (r".*é", r'[^\n] * "é"'),
        (r"a b c", '"a b c"'),
    ],
)
def test_the_same_texts_are_meant(regex: str, grammar: str) -> None:
    assert gbnf_of(regex) == f"root ::= {grammar}"


@pytest.mark.parametrize("regex", [r"\bword", r"[]a]", r"\D", r"[\W]"])
def test_what_no_grammar_has_is_named(regex: str) -> None:
    with pytest.raises(ValueError, match="cannot be written as a grammar"):
        gbnf_of(regex)


def test_the_form_of_a_judgement_is_the_regex_in_the_other_notation() -> None:
    template = load_template("grm")
    for text in (None, SHORT_TEXT):
        regex = form_in_body("regex", text, template, 2)["structured_outputs"]["regex"]
        assert form_in_body("grammar", text, template, 2) == {"grammar": gbnf_of(regex)}
        assert '"Scores: \\\\boxed{"' in gbnf_of(regex)
    assert gbnf_of(judgement_regex("x", frozenset(), 3, (1, 10))).count("( ") == 4


def test_a_recipe_says_which_text_is_none() -> None:
    assert a_recipe(grm={"structured_output": "grammar", "structured_text": SHORT_TEXT}).grm.structured_text
    with pytest.raises(RecipeError, match=r"holds \\W, which cannot be written as a grammar"):
        a_recipe(grm={"structured_output": "grammar", "structured_text": r"\W\n"})
