"""What to do about an outcome or a reason, for a recipe: never what the recipe has already."""

from collections.abc import Mapping
from typing import Any

from pipelines.reporting.meanings import TAUGHT, UNTAUGHT, meaning
from schemas.trajectory import Outcome, RejectReason

_OF_FORM = frozenset(
    {
        *(Outcome.UNPARSED, Outcome.WRONG_COUNT, Outcome.OUT_OF_RANGE, Outcome.CONTRADICTORY),
        *(RejectReason.DRAFT_VERDICT, RejectReason.NO_CRITIQUE, RejectReason.NO_PRINCIPLES),
    }
)
"""What a server that keeps the judge to the format leaves out."""
_MOST_SAMPLES = 32
_MOST_RESAMPLES = 10


def way_out(value: str, recipe: Mapping[str, Any]) -> str:
    """Return what to do about it; `recipe` is that of a manifest. Empty where nothing is to be mended."""
    judge, rejection = recipe.get("grm") or {}, recipe.get("rejection") or {}
    form = judge.get("structured_output", "none")
    if value in _OF_FORM and form != "none":
        return _held_to_a_form(form, judge, (recipe.get("models") or {}).get("grm") or {})
    if value == Outcome.TRUNCATED:
        return _longer(form, judge)
    if value == Outcome.INCORRECT:
        return _surer(judge, recipe.get("sources") or ())
    if value == Outcome.TIED and judge.get("template"):
        return "the judge cannot tell them apart: take a stronger model, or have your template ask for distinct scores"
    if value == Outcome.FAILED and (limit := judge.get("max_prompt_tokens")):
        return meaning(value).way_out.replace("([grm] max_prompt_tokens)", f"even at [grm] max_prompt_tokens = {limit}")
    if value == RejectReason.TOO_EASY and judge.get("n_rft", 0) >= _MOST_SAMPLES:
        return meaning(value).way_out.replace(" raise [grm] n_rft,", "")
    if value == RejectReason.UNDECIDED and judge.get("resample_unreadable", 0) >= _MOST_RESAMPLES:
        return meaning(value).way_out.partition(";")[0]
    if value == RejectReason.HINTED_SHARE and rejection.get("max_hinted_share") == 1:
        return "sample more without hints"
    if "teacher" in (recipe.get("models") or {}):
        return meaning(value).way_out.replace(UNTAUGHT, TAUGHT)
    return meaning(value).way_out


def _held_to_a_form(form: str, judge: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Return what helps where the server was to keep the judge to the format already."""
    ways = [f'see one with grmforge inspect: the server does not keep it to structured_output = "{form}"']
    if form == "json_schema" and model.get("base_url"):
        ways.append('take "regex" where it is vLLM 0.11 or newer, "grammar" where it is llama.cpp')
    if form in ("regex", "grammar"):
        ways.append('take "json_schema"' + (", or mend [grm] structured_text" if "structured_text" in judge else ""))
    return f"{'; '.join(ways)}; or choose another model"


def _longer(form: str, judge: Mapping[str, Any]) -> str:
    """Return what helps answers that are cut off."""
    raised = (
        f"raise [grm] max_tokens above {judge['max_tokens']:,}" if "max_tokens" in judge else "raise [grm] max_tokens"
    )
    if form == "none":
        return meaning(Outcome.TRUNCATED).way_out.replace("raise [grm] max_tokens", raised)
    if form == "json_schema":
        shorter = (
            'take a shorter form: structured_output = "regex" (vLLM) or "grammar" (llama.cpp), with structured_text'
        )
    elif "structured_text" in judge:
        shorter = "let [grm] structured_text ask for less"
    else:
        shorter = "take a shorter form: [grm] structured_text"
    return f"{raised}, as far as the model's context reaches, or {shorter}"


def _surer(judge: Mapping[str, Any], sources: Any) -> str:
    """Return what helps a judge that is wrong."""
    ways = ["take a stronger model"]
    if judge.get("reference", "none") == "none":
        ways.append('give it the reference answer ([grm] reference = "prompt")')
    if not any(source.get("hinted") for source in sources):
        ways.append("add hinted samples (hinted = true in the source)")
    return f"the judge is too weak for these sets: {' or '.join(ways)}"
