"""What every outcome and reason means, in words for someone who meets it first, and what to do about it."""

from typing import NamedTuple

from schemas.candidate import Origin
from schemas.preference import DropReason
from schemas.question import Verdict
from schemas.trajectory import Outcome, RejectReason

SURPLUS = "surplus"
"""General rows that were not mixed in."""


class Meaning(NamedTuple):
    """An outcome or a reason in words."""

    words: str
    """Why, in half a sentence."""
    way_out: str = ""
    """What to do where it takes too many; empty where there is nothing to mend."""


MEANINGS: dict[str, Meaning] = {
    Outcome.CORRECT: Meaning(
        "the judge gave the best response the highest score, or a single response the right label"
    ),
    Outcome.INCORRECT: Meaning(
        "the judge gave another response a higher score than the best one, or a single response the wrong label",
        "the judge is too weak for these sets: take a stronger model, give it the reference answer ([grm] reference = "
        '"prompt") or add hinted samples (hinted = true in the source)',
    ),
    Outcome.TIED: Meaning(
        "the best response shares the highest score with another one",
        "the judge cannot tell them apart: take a stronger model, or a template that asks for distinct scores",
    ),
    Outcome.UNPARSED: Meaning(
        "the answer has no line `Scores: \\boxed{..}` that could be read",
        "the judge does not keep the format: look at one with inspect, then choose another model or [grm] template, or "
        "have the server keep it to the format: [grm] structured_output",
    ),
    Outcome.TRUNCATED: Meaning(
        "the answer ended at the token limit, before its verdict",
        "raise [grm] max_tokens: judges that reason aloud need 8,000 and more; one that never comes to an end "
        "can be kept to a shorter form: [grm] structured_output, with structured_text",
    ),
    Outcome.WRONG_COUNT: Meaning(
        "the answer has more or fewer scores than responses",
        "the judge does not keep the format: choose another model or [grm] template, or have the server "
        "keep it to the format: [grm] structured_output",
    ),
    Outcome.OUT_OF_RANGE: Meaning(
        "a score is no integer of the range that the prompt asks for",
        "the judge does not keep the format: choose another model or [grm] template, or have the server "
        "keep it to the format: [grm] structured_output",
    ),
    Outcome.CONTRADICTORY: Meaning(
        "the answer gives two lists of scores that differ",
        "look at some of them with grmforge inspect; a judge that drafts its verdict is helped by [grm] "
        "structured_output",
    ),
    Outcome.REFUSED: Meaning(
        "the model declined to judge",
        "choose a model that judges this material, or leave the source out",
    ),
    Outcome.FAILED: Meaning(
        "the request got no answer: refused for good, or failed however often it was tried",
        "run grmforge doctor on the recipe; prompts may be too long ([grm] max_prompt_tokens); then build with "
        "--retry-failed",
    ),
    RejectReason.DRAFT_VERDICT: Meaning(
        "correct, but an earlier verdict that differs stands before the one that counts",
        "the judge writes drafts into its answer: let it think apart from it, or have the server keep it to the "
        "format: "
        "[grm] structured_output",
    ),
    RejectReason.NO_CRITIQUE: Meaning(
        "correct, but no sentence outside headings and verdict speaks of a response: scores alone teach nothing",
        "a judge that thinks elsewhere leaves a bare line of scores: turn its thinking off (extra_body), or have the "
        "server keep it to the format: [grm] structured_output",
    ),
    RejectReason.NO_PRINCIPLES: Meaning(
        "correct, but the answer names no criteria, which the prompt asks for",
        "have the server keep the judge to the format ([grm] structured_output), or, where none are wanted, say "
        '[grm] principles = "none"',
    ),
    RejectReason.HINT_LEAK: Meaning(
        "the answer speaks of the hint that it was given, or gives its verdict before it weighs anything",
        "hinted answers of this model betray the hint: another model, or hinted = false in the source",
    ),
    RejectReason.TOO_EASY: Meaning(
        "every sample of the set is correct, so there is nothing to learn from it",
        "the sets are too easy for this judge: add harder sources, raise [grm] n_rft, or keep them with [rejection] "
        "drop_too_easy = false",
    ),
    RejectReason.UNDECIDED: Meaning(
        "too many of the set's answers could not be read to say how difficult it is",
        "see which unreadable outcome is commonest and mend that first; [grm] resample_unreadable asks more often",
    ),
    RejectReason.LABEL_BALANCE: Meaning(
        "correct, but left out so that right and wrong single responses stay in balance",
        "add single responses with the rarer label",
    ),
    RejectReason.POSITION_BALANCE: Meaning(
        "correct, but left out so that the best response stands at every position equally often",
        "the judge prefers a position, or there are too few sets to balance: a less biased judge or more sets; "
        "[rejection] balance_positions = false keeps the bias",
    ),
    RejectReason.HINTED_SHARE: Meaning(
        "correct, but left out since hinted rows would exceed their share",
        "raise [rejection] max_hinted_share, or sample more without hints",
    ),
    RejectReason.MAX_ACCEPTED: Meaning(
        "correct, but the set already gave as many rows as the recipe allows",
        "raise [rejection] max_accepted_per_set",
    ),
    DropReason.TIE: Meaning("two responses share the highest reward, so none is known to be best"),
    DropReason.UNCERTAIN: Meaning("the two highest rewards are nearer to each other than their noise"),
    DropReason.SCORES_CONTRADICT: Meaning("the source scores the chosen response no higher than the rejected one"),
    DropReason.NO_PREFERENCE: Meaning("the annotators preferred neither response"),
    DropReason.TOO_FEW_RESPONSES: Meaning("fewer than two rated responses, and no label of 0 or 1"),
    DropReason.DUPLICATE_RESPONSES: Meaning("two responses are the same text"),
    DropReason.EMPTY_RESPONSE: Meaning("a response has no text"),
    DropReason.ANSWER_NOT_AMONG_OPTIONS: Meaning("the gold answer names none of the question's options"),
    DropReason.ALL_OF_OPTIONS: Meaning(
        'an option is "all of the above" or "none of the above": it gives itself away, and means nothing when shuffled',
        "the source's section can keep them; see docs/sources.md",
    ),
    DropReason.UNRESOLVED_REFERENCE: Meaning("an option refers to other options in a way that no text can stand for"),
    DropReason.NO_QUESTION: Meaning("the question asks nothing"),
    DropReason.CONFLICTING_GOLD: Meaning("the same question stands in the source with another gold answer"),
    DropReason.SEVERAL_GOLDS: Meaning("the source marks several answers as right, and not whether all are due"),
    DropReason.NEEDS_OPTIONS: Meaning("the question makes no sense without its options"),
    DropReason.CONTAMINATED: Meaning("the row comes from a public benchmark"),
    DropReason.OVERLAP: Meaning(
        "the row comes from a data set that is a source of its own",
        "name that source too, or keep such rows: keep_overlap in the source",
    ),
    DropReason.LABEL_LEAK: Meaning("something that only rejected responses have there gives the label away"),
    DropReason.LICENSE: Meaning("its licence is not among those that the recipe allows", "see [build] licenses"),
    DropReason.DUPLICATE: Meaning("an equal set with the same best response stands earlier"),
    DropReason.LABEL_CONFLICT: Meaning("an equal set names another response as best"),
    DropReason.OVERLAP: Meaning(
        "the row comes from another data set that is a source of its own",
        "keep_overlap = true in the source keeps it, where that source is not built",
    ),
    DropReason.LABEL_LEAK: Meaning("rejected responses of this part of the source carry a mark that others do not"),
    DropReason.NEEDS_OPTIONS: Meaning("the question makes no sense without its options"),
    DropReason.GOLD_NOT_GRADABLE: Meaning(
        "the verifier does not find the question's own gold answer right",
        "look at the reference: where it is right all the same, the verifier should learn its notation",
    ),
    DropReason.NO_RESPONSE: Meaning(
        "no answer to the question could be graded as right or wrong",
        "look at the funnel's synthesis rows: raise [synthesis] max_tokens where answers are truncated",
    ),
    DropReason.NO_RIGHT_RESPONSE: Meaning(
        "every answer to the question is wrong",
        "add a [models.teacher], or raise [synthesis] samples",
    ),
    DropReason.NO_WRONG_RESPONSE: Meaning(
        "every answer to the question is right",
        "raise [synthesis] samples or temperature, or take a weaker responder",
    ),
    DropReason.RETAG_DISAGREEMENT: Meaning("judged again, the set got another best response, or none"),
    DropReason.LENGTH_BALANCE: Meaning(
        "in too many sets of the source the right response is longer, or shorter, than the wrong ones",
        "raise [synthesis] samples, or give more solutions where questions bring them: with more answers to choose "
        "from fewer sets are dropped",
    ),
    DropReason.AUTHOR_BALANCE: Meaning(
        "in too many sets of the same authors this author is the right one",
        "questions that bring solutions are never sent to the responder: give several solutions of each model to a "
        "question, or leave the solutions out, and the responder answers it [synthesis] samples times",
    ),
    DropReason.SINGLE_BALANCE: Meaning(
        "left out so that single responses are as often right as wrong",
        "raise [synthesis] samples, or give more solutions where questions bring them: more questions then have "
        "answers of both kinds",
    ),
    DropReason.MAX_SHARE: Meaning("the source would exceed its share of all sets", "raise max_share in the source"),
    DropReason.LEAKY: Meaning(
        "the best response gives itself away by its surface, and the source as a whole leaked",
        '[leaks] over = "mark" keeps such sets, and marks the source; see docs/leaks.md',
    ),
    DropReason.TOO_LONG: Meaning(
        "the prompt exceeds the limit even with one wrong response left",
        "raise [grm] max_prompt_tokens, if the judge's context allows it",
    ),
    SURPLUS: Meaning(
        "a general row beyond the recipe's ratio to judged ones",
        "raise [general] ratio, or the number of judged rows",
    ),
}
"""By the value of Outcome, RejectReason or DropReason, or SURPLUS; each value stands for one thing only."""


VERDICT_MEANINGS: dict[str, Meaning] = {
    Verdict.RIGHT: Meaning("the final answer is the known one"),
    Verdict.WRONG: Meaning("the final answer is another one than the known one"),
    Verdict.NO_ANSWER: Meaning(
        "nothing in the text is a final answer",
        "the model does not end in the form that it is asked for: look at one with grmforge probe, and take another "
        "model",
    ),
    Verdict.UNDECIDED: Meaning(
        "no rule can tell whether the final answer is the known one",
        "short answers need a [models.teacher] that compares them; others are in a notation that the verifier does not "
        "know",
    ),
    Verdict.TIMED_OUT: Meaning(
        "the verifier took too long over the answer, or too much memory", "look at what such answers say"
    ),
    Verdict.DISPUTED: Meaning(
        "the source's own label and the verifier say different things, or a rewritten text changed its answer",
        "look at the source: one of the two is wrong",
    ),
    Verdict.EMPTY: Meaning(
        "the model wrote nothing, or nothing after its thoughts",
        "raise [synthesis] max_tokens, or see how the server splits reasoning from the answer",
    ),
    Verdict.TRUNCATED: Meaning(
        "the answer broke off at the token limit",
        "raise [synthesis] max_tokens: models that reason aloud need 8,000 and more",
    ),
    Verdict.REFUSED: Meaning(
        "the model declined to answer", "choose a model that answers this material, or leave the source out"
    ),
    Verdict.FAILED: Meaning(
        "the request got no answer", "run grmforge doctor on the recipe, then build with --retry-failed"
    ),
}
"""What is said of one answer to a question, by the value of Verdict."""

ORIGIN_WORDS: dict[str, str] = {
    Origin.GIVEN: "answers given",
    Origin.RESPONDER: "responder's answers",
    Origin.TEACHER: "teacher's answers",
    Origin.REWRITE: "wrong, reworded",
}
"""Whose answers they are, by the value of Origin."""


def verdict_meaning(verdict: str) -> Meaning:
    """Return what a verdict means; one that a newer grmforge wrote stands for itself."""
    return VERDICT_MEANINGS.get(verdict, Meaning(verdict.replace("_", " ")))


_SINGLE_WORDS: dict[str, str] = {
    Outcome.CORRECT: "the judge gave the response the right label",
    Outcome.INCORRECT: "the judge gave the response the wrong label",
}
_SEVERAL_WORDS: dict[str, str] = {
    Outcome.CORRECT: "the judge gave the best response the highest score",
    Outcome.INCORRECT: "the judge gave another response a higher score than the best one",
}


def meaning(value: str, n_responses: int | None = None) -> Meaning:
    """Return what an outcome or reason means; one that a newer grmforge wrote stands for itself.

    `n_responses`, where it is known, makes the words those of one response or of several.
    """
    found = MEANINGS.get(value, Meaning(value.replace("_", " ")))
    if not n_responses:
        return found
    words = _SINGLE_WORDS if n_responses == 1 else _SEVERAL_WORDS
    return found._replace(words=words.get(value, found.words))
