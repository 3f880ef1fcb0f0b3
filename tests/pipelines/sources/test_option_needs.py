"""What a question asks once its options are gone, told by words."""

import pytest

from pipelines.sources.option_needs import needs_options, needs_rewriting


@pytest.mark.parametrize(
    "question",
    [
        "Which of the following is a KPI?",
        "Which one of these is a band?",
        "Among the following schemes, what is used in LTE?",
        "Are all of these bands licensed?",
        "Which option describes a cell?",
        "Which protocol is NOT supported by WebTransport?",
        "In what situations might coverage not be justified?",
        "Which interface is not required for roaming? [3GPP Release 18]",
        "What features are not permitted?",
        "Which layer can't be encrypted?",
        "All layers are encrypted except",
        "Which claim about cells is false?",
        "Which is an incorrect statement?",
        "Which fiber has the least dispersion?",
    ],
)
def test_questions_that_choose_among_their_options_need_them(question: str) -> None:
    assert needs_options(question)


@pytest.mark.parametrize(
    "question",
    [
        "What does TDD stand for?",
        "What happens when a beacon is not detected?",
        "Why is it not possible to share pilots?",
        "What does the UE do if it does not decode the PDCCH?",
        "What is the term used for a device that does not support 5G?",
        "How often is a false alarm allowed?",
        "What is the maximum value for the false alarm probability?",
        "Which class listens always except when transmitting?",
        "What is the purpose of using at least two materials?",
        "Which type of attack targets the environment?",
    ],
)
def test_questions_that_ask_by_themselves_do_not(question: str) -> None:
    assert not needs_options(question)
    assert not needs_rewriting(question)


@pytest.mark.parametrize(
    "question",
    [
        "The departure process in an M/M/s queue follows a:",
        "The time constant is ______. [IEEE C95.1]",
        "Which statement is true about beacons?",
        "What is true about cells?",
        "What is one of the benefits of NOMA?",
        "What is an example of a matching problem?",
        "Which scheme is most suitable for uplink?",
        "According to the document, what limits exposure?",
        "Massive MIMO works by open-loop beamforming",
    ],
)
def test_questions_that_lean_on_their_options_can_be_reworded(question: str) -> None:
    assert needs_rewriting(question)
    assert not needs_options(question)


def test_what_follows_the_question_mark_is_no_sentence_left_open() -> None:
    assert not needs_rewriting(
        "What is the capacity? (P is the power (in dBm)) [3GPP Release 18]".replace("(in dBm)", "")
    )
    assert not needs_rewriting("What is A-GNSS? [3GPP Release 18] ")


@pytest.mark.parametrize(
    "text", ["which " * 100_000, "not " * 100_000, "(" * 200_000, "[" * 200_000, "a is " * 100_000]
)
def test_a_long_text_costs_no_more_than_a_short_one(text: str) -> None:
    needs_options(text)
    needs_rewriting(text)
