"""The page of a refresh says what the command says."""

from pathlib import Path

from pipelines.reporting.acceptance import attention_lines
from tests.pipelines.upkeep.nights import a_night


def test_what_to_look_at_before_training_stands_on_the_page_as_in_the_terminal(tmp_path: Path) -> None:
    first, done = a_night(tmp_path, 30), a_night(tmp_path, 10)
    assert done.tripped
    snapshot = done.published.snapshot
    _, heading, *said = attention_lines(snapshot.manifest, snapshot, width=10_000)
    assert said[0].startswith("- simulated: grm; ")
    lines = done.page().splitlines()
    assert [line.replace("\\", "") for line in lines[lines.index(heading) + 2 :][: len(said)]] == said
    assert (
        lines.index("LATEST is held back:")
        < lines.index(heading)
        < lines.index(f"small@{first.version} → small@{done.version}")
    )
