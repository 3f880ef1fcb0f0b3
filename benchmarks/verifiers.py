"""Do the verifiers agree with real labels, read real gold answers, and keep up? Real model output of three files.

    python -m benchmarks.verifiers [../shared/data]

The last line is one JSON object: how often "right" agrees with the label, the share of MATH's gold answers that grade
themselves as right, and how many real solutions are verified a minute, with the start of the processes.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.grading.crew import grade_all
from pipelines.grading.final_answer import final_answer
from pipelines.grading.verification import grades_itself
from schemas.question import AnswerForm, Gold, Grade, Verdict

SOLUTIONS = Path("math/qwen_math_cot_100x8.jsonl")
GSM8K = Path("gsm8k/example_model_solutions.jsonl")
PROBLEMS = (Path("math/hendrycks_math_test.jsonl"), Path("math/math_train_first3682.jsonl"))
GSM8K_MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


class Labelled(NamedTuple):
    """A model's solution, with what its file says of it."""

    place: str
    model: str
    gold: Gold
    text: str
    right: bool


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "data", type=Path, nargs="?", default=Path("../shared/data"), help="folder of the real files"
    )
    arguments.add_argument("--full", action="store_true", help="changes nothing: the files are small")
    data: Path = arguments.parse_args().data
    if missing := [str(name) for name in (SOLUTIONS, GSM8K, *PROBLEMS) if not (data / name).is_file()]:
        sys.exit(f"{data} lacks {', '.join(missing)}: name the folder of the real files")
    math, gsm8k = math_solutions(data), gsm8k_solutions(data)
    started = time.perf_counter()
    grades = list(grade_all((one.gold, one.text) for one in [*math, *gsm8k]))
    seconds = time.perf_counter() - started
    per_minute = int(60 * len(grades) / seconds)
    figures = {
        "math_agreement": report_math(math, grades[: len(math)]),
        "gsm8k_agreement": report_gsm8k(gsm8k, grades[len(math) :]),
        "math_gold_self": report_golds(data),
        "per_minute": per_minute,
    }
    print(f"\n{len(grades):,} solutions verified in {seconds:.1f} s: {per_minute:,} a minute")
    print(json.dumps(figures))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def math_solutions(data: Path) -> list[Labelled]:
    """MATH problems with eight solutions each; the gold answer is the last box of the reference solution."""
    return [
        Labelled(f"problem {row['idx']}, solution {index}", "qwen", math_gold(row["solution"]), text, label)
        for row in rows(data / SOLUTIONS)
        for index, (text, label) in enumerate(zip(row["code"], row["score"], strict=True))
    ]


def gsm8k_solutions(data: Path) -> list[Labelled]:
    return [
        Labelled(
            f"line {line}",
            model,
            Gold(AnswerForm.MATH, row["ground_truth"].rpartition("A: ")[2]),
            row[model]["solution"],
            row[model]["is_correct"],
        )
        for line, row in enumerate(rows(data / GSM8K), 1)
        for model in GSM8K_MODELS
    ]


def math_gold(solution: str) -> Gold:
    return Gold(AnswerForm.MATH, final_answer(solution) or "")


def report_math(solutions: Sequence[Labelled], grades: Sequence[Grade]) -> float:
    print(f"\n{SOLUTIONS}: the file's label, and the verifier's verdict")
    agreement = report_agreement(solutions, grades)
    for who, right in (
        ("label", [one.right for one in solutions]),
        ("verifier", [grade.verdict is Verdict.RIGHT for grade in grades]),
    ):
        by_problem = [sum(right[first : first + 8]) for first in range(0, len(right), 8)]
        mixed = sum(0 < count < 8 for count in by_problem)
        print(
            f"  {who:8}  {sum(right)} of {len(right)} right; of {len(by_problem)} problems {by_problem.count(8)} all"
            f" right, {mixed} mixed, {by_problem.count(0)} none"
        )
    return agreement


def report_gsm8k(solutions: Sequence[Labelled], grades: Sequence[Grade]) -> float:
    print(f"\n{GSM8K}: the file's label, and the verifier's verdict")
    agreement = report_agreement(solutions, grades)
    for model in GSM8K_MODELS:
        of_model = [(one.right, grade) for one, grade in zip(solutions, grades, strict=True) if one.model == model]
        labelled = sum(right for right, _ in of_model) / len(of_model)
        found = sum(grade.verdict is Verdict.RIGHT for _, grade in of_model) / len(of_model)
        print(f"  {model:18} label {labelled:.1%} right, verifier {found:.1%}")
    return agreement


def report_agreement(solutions: Sequence[Labelled], grades: Sequence[Grade]) -> float:
    """Print the table of labels against verdicts and what stands off its diagonal; return the share that agrees.

    A verifier agrees with "right" by saying so, and with "wrong" by saying anything else.
    """
    pairs = list(zip(solutions, grades, strict=True))
    table = Counter((one.right, grade.verdict) for one, grade in pairs)
    for right in (True, False):
        counts = ", ".join(f"{table[right, verdict]} {verdict}" for verdict in Verdict if table[right, verdict])
        print(f"  label {'right' if right else 'wrong'}: {counts}")
    disagreeing = [(one, grade) for one, grade in pairs if one.right != (grade.verdict is Verdict.RIGHT)]
    for one, grade in disagreeing:
        print(f"  disagrees: {one.place}, {one.model}: {grade.verdict}, {grade.answer!r} for {one.gold.answer!r}")
    for one, grade in pairs:
        if grade.verdict in (Verdict.UNDECIDED, Verdict.TIMED_OUT):
            print(f"  {grade.verdict}: {one.place}, {one.model}: {grade.answer!r} for {one.gold.answer!r}")
    agreement = 1 - len(disagreeing) / len(pairs)
    print(f"  agreement {len(pairs) - len(disagreeing):,} of {len(pairs):,}, {agreement:.3%}")
    return round(agreement, 5)


def report_golds(data: Path) -> float:
    """Print the gold answers that do not grade themselves; return the share that do.

    Twice: the reference solution as a text is graded right, and the answer can be compared in other notations, too.
    """
    golds = [
        (path, line, math_gold(row["solution"]), row["solution"])
        for path in PROBLEMS
        for line, row in enumerate(rows(data / path), 1)
    ]
    grades = grade_all((gold, solution) for _, _, gold, solution in golds)
    failing = [
        (path, line, gold, grade)
        for (path, line, gold, _), grade in zip(golds, grades, strict=True)
        if grade.verdict is not Verdict.RIGHT or not grades_itself(gold)
    ]
    print(f"\n{' and '.join(path.name for path in PROBLEMS)}: gold answers that do not grade themselves")
    for path, line, gold, grade in failing:
        print(f"  {path.name}:{line}: {gold.answer!r}, its solution {grade.verdict}")
    share = 1 - len(failing) / len(golds)
    print(f"  {len(golds) - len(failing):,} of {len(golds):,} do, {share:.3%}")
    return round(share, 5)


if __name__ == "__main__":
    main()
