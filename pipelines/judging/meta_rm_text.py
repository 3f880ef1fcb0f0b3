"""What a Meta RM sees of a judgement. It is the same text in training, in evaluation and in service.

user        the template `meta_rm`: the conversation, and the responses in the order that the judge saw; no criteria
assistant   the judge's answer in its canonical form: the verdict is its last line
"""

from collections.abc import Sequence

from pipelines.judging.prompts import Template, load_template, render
from pipelines.judging.shown_text import ShownSet
from pipelines.judging.verdicts import CANONICAL, answer_of, canonical_text, read_verdict
from schemas.query import Messages


def meta_rm_template() -> Template:
    """Return the template of the prompt."""
    return load_template("meta_rm")


def meta_rm_prompt(template: Template, shown: ShownSet, order: Sequence[int]) -> Messages:
    """Return the prompt: the set in the order that the judge saw."""
    return render(template, shown, order)


def canonical_answer(text: str, n_responses: int, scale: tuple[int, int]) -> str:
    """Return a judge's answer with a forgiven verdict as its canonical last line; what followed it goes.

    Where an earlier verdict was taken back in the line of the last one ("Final scores"), the answer stays as it is:
    without these words nobody could tell which of the two holds. Such answers are in no RFT set.
    """
    answer = answer_of(text)
    verdict = read_verdict(answer, n_responses, *scale)
    return text if verdict.form == CANONICAL else canonical_text(answer, verdict)
