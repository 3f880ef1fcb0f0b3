"""Why a readable set is set aside."""

from schemas.explained import Explained


class DropReason(Explained):
    """Why a readable set is set aside."""

    TIE = "tie", "two responses share the highest reward, so none is known to be best"
    UNCERTAIN = "uncertain", "the two highest rewards are nearer to each other than their noise"
    SCORES_CONTRADICT = "scores_contradict", "the source scores the chosen response no higher than the rejected one"
    NO_PREFERENCE = "no_preference", "the annotators preferred neither response"
    TOO_FEW_RESPONSES = "too_few_responses", "fewer than two rated responses, and no label of 0 or 1"
    DUPLICATE_RESPONSES = "duplicate_responses", "two responses are the same text"
    EMPTY_RESPONSE = "empty_response", "a response has no text"
    ANSWER_NOT_AMONG_OPTIONS = "answer_not_among_options", "the gold answer names none of the question's options"
    ALL_OF_OPTIONS = (
        "all_of_options",
        'an option is "all of the above" or "none of the above": it gives itself away, and means nothing when shuffled',
        "the source's section can keep them; see docs/sources.md",
    )
    UNRESOLVED_REFERENCE = (
        "unresolved_reference",
        "an option refers to other options in a way that no text can stand for",
    )
    NO_QUESTION = "no_question", "the question asks nothing"
    CONFLICTING_GOLD = "conflicting_gold", "the same question stands in the source with another gold answer"
    SEVERAL_GOLDS = "several_golds", "the source marks several answers as right, and not whether all are due"
    CONTAMINATED = (
        "contaminated",
        "the row comes from a public benchmark, or holds a query of one",
        "[decontaminate] allow exempts a benchmark by name; see docs/decontamination.md",
    )
    OVERLAP = (
        "overlap",
        "the row comes from another data set that is a source of its own",
        "keep_overlap = true in the source keeps it, where that source is not built",
    )
    LABEL_LEAK = "label_leak", "rejected responses of this part of the source carry a mark that others do not"
    NEEDS_OPTIONS = "needs_options", "the question makes no sense without its options"
    GOLD_NOT_GRADABLE = (
        "gold_not_gradable",
        "the verifier does not find the question's own gold answer right",
        "look at the reference: where it is right all the same, the verifier should learn its notation",
    )
    NO_RESPONSE = (
        "no_response",
        "no answer to the question could be graded as right or wrong",
        "look at the funnel's synthesis rows: raise [synthesis] max_tokens where answers are truncated",
    )
    NO_RIGHT_RESPONSE = (
        "no_right_response",
        "every answer to the question is wrong",
        "add a [models.teacher], or raise [synthesis] samples",
    )
    NO_WRONG_RESPONSE = (
        "no_wrong_response",
        "every answer to the question is right",
        "raise [synthesis] samples or temperature, or take a weaker responder",
    )
    RETAG_DISAGREEMENT = "retag_disagreement", "judged again, the set got another best response, or none"
    LENGTH_BALANCE = (
        "length_balance",
        "in too many sets of the source the right response is longer, or shorter, than the wrong ones",
        "raise [synthesis] samples, or give more solutions where questions bring them: with more answers to choose "
        "from fewer sets are dropped",
    )
    AUTHOR_BALANCE = (
        "author_balance",
        "in too many sets of the same authors this author is the right one",
        "questions that bring solutions are never sent to the responder: give several solutions of each model to a "
        "question, or leave the solutions out, and the responder answers it [synthesis] samples times",
    )
    SINGLE_BALANCE = (
        "single_balance",
        "left out so that single responses are as often right as wrong",
        "raise [synthesis] samples, or give more solutions where questions bring them: more questions then have "
        "answers of both kinds",
    )
    LICENSE = "license", "its licence is not among those that the recipe allows", "see [build] licenses"
    DUPLICATE = "duplicate", "an equal set with the same best response stands earlier"
    LABEL_CONFLICT = "label_conflict", "an equal set names another response as best"
    MAX_SHARE = "max_share", "the source would exceed its share of all sets", "raise max_share in the source"
    LEAKY = (
        "leaky",
        "the best response gives itself away by its surface, and the source as a whole leaked",
        '[leaks] over = "mark" keeps such sets, and marks the source; see docs/leaks.md',
    )
    REVIEW_DISAGREEMENT = (
        "review_disagreement",
        "most people who reviewed it find another response best, or none",
        '[reviews] use = "labels" keeps such sets, with the label that these people gave; see docs/labels.md',
    )
    TOO_LONG = (
        "too_long",
        "the prompt exceeds the limit even with one wrong response left",
        "raise [grm] max_prompt_tokens, if the judge's context allows it",
    )
