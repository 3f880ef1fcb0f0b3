"""What comes back: every form of it, and what is wrong with it."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.reviews.drawing import Draw
from pipelines.reviews.exporting import write_files
from pipelines.reviews.importing import import_reviews
from schemas.errors import SourceError, StorageError
from storage.reviews import every_review, latest_reviews
from storage.root import Root, write_record
from storage.tombstones import Tombstone
from tests.pipelines.reviews.small_reviews import a_draw, pair, published, right, saved, single, written

NAME = "Ann Smith"


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    sets = [*(pair(number, "ab"[number % 2]) for number in range(8)), single(1, 1), single(2, 0)]
    return a_draw(published(tmp_path / "root", sets, judge_is_right=lambda number: number < 6))


def other(item: Any) -> int | str:
    """Return the choice of a person who contradicts every label."""
    return {1: 2, 2: 1, "right": "wrong", "wrong": "right"}[right(item)]


def root_of(draw: Draw) -> Root:
    return draw.snapshot.root


def test_reviews_are_kept_and_compared(tmp_path: Path, draw: Draw) -> None:
    root = root_of(draw)
    first = written(tmp_path / "1.json", saved(draw, right))
    done = import_reviews(root, [first])
    assert (done.reviews, done.known, done.unanswered, done.gone, done.unreadable) == (10, 0, 0, (), {})
    assert done.agreement["labels"]["raw"]["same"] == 1.0
    assert done.agreement["judge grm"]["raw"]["same"] == 0.75 and done.agreement["judge grm"]["sets"] == 8
    assert set(done.agreement["labels"]["by_source"]) == {"a", "b", "own"}
    assert done.agreement["people"]["pairs"] == []
    # Half of what the second person finds is something else.
    half = {item.preference.set_id for item in draw.pages[0][::2]}
    second = saved(draw, lambda item: (other if item.preference.set_id in half else right)(item), reviewer="Bob")
    done = import_reviews(root, [written(tmp_path / "2.json", second)])
    (both,) = done.agreement["people"]["pairs"]
    assert both["reviewers"] == [1, 2] and both["sets"] == 10 and both["raw"]["same"] == 0.5
    assert done.agreement["labels"]["raw"]["same"] == 0.75
    assert done.agreement["choices"] == {"response": 20}


def test_people_who_saw_another_order_are_compared_by_the_response(tmp_path: Path, draw: Draw) -> None:
    turned = saved(draw, right, reviewer="Bob")
    for answer in turned["answers"]:
        if len(answer["order"]) == 2:
            answer |= {"order": answer["order"][::-1], "choice": 3 - answer["choice"]}
    files = [written(tmp_path / "1.json", saved(draw, right)), written(tmp_path / "2.json", turned)]
    agreement = import_reviews(root_of(draw), files).agreement
    assert agreement["people"]["pairs"][0]["raw"]["same"] == agreement["labels"]["raw"]["same"] == 1.0


def test_no_name_is_kept_or_shown(tmp_path: Path, draw: Draw) -> None:
    root = root_of(draw)
    done = import_reviews(root, [written(tmp_path / "1.json", saved(draw, right, reviewer=NAME))])
    assert NAME not in str(done.as_json())
    for path in root.path.rglob("*.parquet"):
        assert NAME.encode() not in path.read_bytes()
    assert every_review(root)["reviewer"].n_unique() == 1
    import_reviews(root, [written(tmp_path / "2.json", saved(draw, right, reviewer=f" {NAME.upper()}  "))])
    import_reviews(root, [written(tmp_path / "3.json", saved(draw, right, reviewer="\uff21nn\u3000Smith"))])
    assert latest_reviews(every_review(root)).height == 10, "the same person, however the name is written"


def test_the_latest_review_of_a_person_counts(tmp_path: Path, draw: Draw) -> None:
    later = saved(draw, other)
    for answer in later["answers"][:4]:
        answer["at"] = "2026-01-02T00:00:00.000Z"
    done = import_reviews(
        root_of(draw), [written(tmp_path / f"{at}.json", tree) for at, tree in enumerate([later, saved(draw, right)])]
    )
    assert done.reviews == 20 and done.replaced == 10
    assert done.agreement["labels"]["raw"]["same"] == 0.6


def test_a_file_that_is_given_twice_counts_once(tmp_path: Path, draw: Draw) -> None:
    file = written(tmp_path / "1.json", saved(draw, right))
    done = import_reviews(root_of(draw), [file, file])
    assert (done.reviews, done.replaced) == (10, 0) and every_review(root_of(draw)).height == 10


def test_a_file_that_is_imported_again_brings_in_what_is_new(tmp_path: Path, draw: Draw) -> None:
    half = saved(draw, right)
    for answer in half["answers"][5:]:
        answer |= {"choice": None, "at": None}
    done = import_reviews(root_of(draw), [written(tmp_path / "1.json", half)])
    assert (done.reviews, done.unanswered) == (5, 5)
    done = import_reviews(root_of(draw), [written(tmp_path / "1.json", saved(draw, right))])
    assert (done.reviews, done.known, done.replaced) == (5, 5, 0)
    files = len(root_of(draw).names("reviews"))
    done = import_reviews(root_of(draw), [tmp_path / "1.json"])
    assert (done.reviews, done.known) == (0, 10) and len(root_of(draw).names("reviews")) == files
    assert done.agreement["labels"]["raw"]["same"] == 1.0, "what is known is still compared"


def fill_in(draw: Draw, folder: Path, **changes: str) -> Path:
    """Fill in the CSV as a person does who finds what the labels say, and save it as a spreadsheet would."""
    write_files(draw, folder)
    by_id = {item.preference.set_id: item for item in draw.pages[0]}
    rows = list(csv.DictReader((folder / "review-1.csv").read_text("utf-8-sig").splitlines(keepends=True)))
    for row in rows:
        row |= {"choice": str(right(by_id[row["set_id"]])).upper(), "reviewer": "Ann"} | changes
    with (folder / "filled.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return folder / "filled.csv"


def test_a_csv_comes_back(tmp_path: Path, draw: Draw) -> None:
    file = fill_in(draw, tmp_path)
    done = import_reviews(root_of(draw), [file])
    assert done.reviews == 10 and done.agreement["labels"]["raw"]["same"] == 1.0
    assert import_reviews(root_of(draw), [file]).known == 10, "a time that is not known makes no review new"
    done = import_reviews(root_of(draw), [fill_in(draw, tmp_path, choice="cannot tell")])
    assert done.reviews == 10 and done.agreement["choices"] == {"cannot_tell": 10}
    assert done.agreement["labels"]["sets"] == 0


def test_a_csv_with_two_choices_of_a_person_says_the_same_each_time(tmp_path: Path, draw: Draw) -> None:
    """A CSV says no time, so its last row counts, however often it is imported, and whatever other draws say."""
    root, lines = root_of(draw), fill_in(draw, tmp_path).read_text("utf-8-sig").splitlines(keepends=True)
    row = next(line for line in lines if line.endswith((";1;Ann\n", ";2;Ann\n")))
    turned = row.replace(";1;Ann", ";tie;Ann").replace(";2;Ann", ";tie;Ann")
    (tmp_path / "two.csv").write_text("".join([lines[0], row, turned]).replace(";", "\t"), "utf-8")
    again = a_draw(draw.snapshot, 9)
    of_set = next(item for item in again.pages[0] if item.preference.set_id in row)
    later = saved(again, lambda item: right(item) if item is of_set else None, reviewer="Ann")
    first = import_reviews(root, [tmp_path / "two.csv"])
    assert (first.reviews, first.replaced, first.agreement["choices"]) == (2, 1, {"tie": 1})
    import_reviews(root, [written(tmp_path / "later.json", later)])
    done = import_reviews(root, [tmp_path / "two.csv"])
    assert (done.reviews, done.known, done.agreement["choices"]) == (0, 2, {"tie": 1})


def test_reviews_that_are_damaged_are_named(tmp_path: Path, draw: Draw) -> None:
    file = written(tmp_path / "1.json", saved(draw, right))
    import_reviews(root_of(draw), [file])
    (name,) = root_of(draw).names("reviews", ".parquet")
    (root_of(draw).path / "reviews" / name).write_bytes(b"PAR1")
    with pytest.raises(StorageError, match=r"damaged .* remove it, and import its reviews again"):
        import_reviews(root_of(draw), [file])


def test_label_studio_comes_back(tmp_path: Path, draw: Draw) -> None:
    write_files(draw, tmp_path)
    tasks = json.loads((tmp_path / "review-1.tasks.json").read_text("utf-8"))
    by_id = {item.preference.set_id: item for item in draw.pages[0]}

    def annotation(task: dict[str, Any], person: Any, **changes: Any) -> dict[str, Any]:
        choice = right(by_id[task["data"]["set_id"]])
        value = {"choices": [f"response {choice}" if isinstance(choice, int) else choice]}
        result = [{"from_name": "choice", "to_name": "question", "type": "choices", "value": value}]
        return {"completed_by": person, "result": result, "updated_at": "2026-01-01T10:00:00Z"} | changes

    for task in tasks:
        people = [annotation(task, 1), annotation(task, {"id": 2, "email": "bob@example.org"})]
        task["annotations"] = [*people, annotation(task, 3, was_cancelled=True)]
    tasks[0]["annotations"] = []
    done = import_reviews(root_of(draw), [written(tmp_path / "export.json", tasks)])
    assert (done.reviews, done.unanswered) == (18, 1)
    assert done.agreement["labels"]["raw"]["same"] == 1.0 and done.agreement["people"]["reviewers"] == 2
    flat = [{**task["data"], "choice": right(by_id[task["data"]["set_id"]]), "annotator": 7} for task in tasks]
    done = import_reviews(root_of(draw), [written(tmp_path / "min.json", flat)])
    assert done.reviews == 10 and done.agreement["reviewers"] == 3


def test_sets_that_are_gone_are_counted_by_name(tmp_path: Path, draw: Draw) -> None:
    tree = saved(draw, right)
    tree["answers"][0]["set_id"] = "0" * 32
    forgotten = tree["answers"][1]["set_id"]
    tombstone = Tombstone(kind="set", name=forgotten, at="2026-01-01T00:00:00Z", sets=(forgotten,))
    write_record(root_of(draw), tombstone)
    done = import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)])
    assert done.gone == tuple(sorted(["0" * 32, forgotten])) and done.reviews == 8


def test_another_version_says_what_a_set_is(tmp_path: Path, draw: Draw) -> None:
    tree = saved(draw, right, snapshot={"name": "small", "version": "20200101T000000Z-00000000"})
    assert import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)]).reviews == 10


def test_text_that_is_none_and_times_of_no_calendar(tmp_path: Path, draw: Draw) -> None:
    """JSON may hold half of a character, as where a page cuts a name, and any number as a year."""
    tree = saved(draw, right, reviewer="Ann \ud83d")
    tree["answers"][0]["set_id"], tree["answers"][1]["choice"] = "\ud800", "\ud800"
    tree["answers"][2]["at"], tree["answers"][3]["at"] = "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"
    done = import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)])
    assert done.reviews == 8 and done.unreadable == {"no set_id": 1, "unknown choice": 1}
    for key, value in (("draw_id", "\ud800"), ("snapshot", {"name": "\ud800", "version": "1"})):
        with pytest.raises(SourceError, match=f"no usable row; .*no {key}"):
            import_reviews(root_of(draw), [written(tmp_path / "2.json", tree | {key: value})])


def test_a_file_whose_orders_fit_no_set_is_an_error(tmp_path: Path, draw: Draw) -> None:
    tree = saved(draw, right)
    for answer in tree["answers"]:
        answer |= {"order": [2, 0, 1], "choice": 1}
    with pytest.raises(SourceError, match="no usable row; no set has as many responses"):
        import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)])
    assert every_review(root_of(draw)).is_empty()


def test_rows_that_cannot_be_used_are_counted_and_the_others_kept(tmp_path: Path, draw: Draw) -> None:
    tree = saved(draw, right)
    pairs = [answer for answer in tree["answers"] if len(answer["order"]) == 2]
    singles = [answer for answer in tree["answers"] if len(answer["order"]) == 1]
    pairs[0]["choice"], pairs[1]["choice"], singles[0]["choice"] = 3, "right", "tie"
    pairs[2]["order"], pairs[3]["stratum_size"], pairs[4]["set_id"] = [0, 0], "many", 7
    pairs[5] |= {"order": [0, 1, 2]}
    done = import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)])
    assert done.unreadable == {
        "no set_id": 1, "order is not one of all its responses": 2, "stratum_size is not a count": 1,
        "unknown choice": 3,
    }  # fmt: skip
    assert done.reviews == 3
    assert done.first_unreadable is not None and "1.json, answer " in done.first_unreadable


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ('{"kind": "grmforge review", "answ', "is damaged or not whole"),
        ("{}", "holds no reviews"),
        ("[]", "no usable row"),
        ('[1, "two", {"data": {}}]', "no usable row"),
        ("[" * 100_000, "is damaged|nests too deep"),
        ("a,b\n1,2\n", "has no column 'choice'"),
        ('{"kind": "grmforge review", "format": 2, "answers": []}', "upgrade it"),
        ('{"kind": "grmforge review", "format": 1, "answers": 3, "snapshot": {}}', "no answers"),
        ('{"kind": "grmforge review", "format": 1, "answers": [null, 3], "snapshot": {}}', "no usable row"),
        ('{"kind": "a", "kind": "b"}', "stands there twice"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, draw: Draw, content: str, fault: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content, "utf-8")
    with pytest.raises(SourceError, match=fault) as error:
        import_reviews(root_of(draw), [written(tmp_path / "good.json", saved(draw, right)), file])
    assert "bad.json" in str(error.value) and "\n" not in str(error.value)
    assert not root_of(draw).names("reviews"), "nothing is kept of the others"


def test_bytes_that_are_no_text_and_a_folder(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "bad.csv").write_bytes(b"set_id,choice\n\xff\xfe\n")
    for file, fault in ((tmp_path / "bad.csv", "is not UTF-8"), (tmp_path / "none.json", "cannot be read")):
        with pytest.raises(SourceError, match=fault):
            import_reviews(root_of(draw), [file])


def test_reviews_of_another_root_are_refused(tmp_path: Path, draw: Draw) -> None:
    tree = saved(draw, right)
    for answer in tree["answers"]:
        answer["set_id"] = answer["set_id"][::-1]
    with pytest.raises(SourceError, match=r"none of its 10 sets is under .*they are of small@.*--root"):
        import_reviews(root_of(draw), [written(tmp_path / "1.json", tree)])


def test_people_without_a_name_are_told_apart_by_browser_and_page(tmp_path: Path, draw: Draw) -> None:
    trees = {browser: saved(draw, right, reviewer=" ", browser=browser) for browser in ("x", "y", "x2")}
    files = [written(tmp_path / f"{browser}.json", tree) for browser, tree in trees.items()]
    done = import_reviews(root_of(draw), files)
    assert done.agreement["reviewers"] == 3 and len(done.agreement["people"]["pairs"]) == 3
