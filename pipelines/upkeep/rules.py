"""Rules: which rows of each kind of table go, given what is concerned."""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.upkeep.concerned import Concerned, among, any_of, lists_with
from storage.row_removal import Goes, Mask


def of_answers(concerned: Concerned, kept: frozenset[str]) -> Goes:
    """Return the rule for tables of answers and of requests."""

    def goes(table: pa.Table) -> Mask:
        queries, requests = table.column("query_id"), table.column("request_id")
        shared = pc.and_(among(queries, concerned.shared), pc.invert(among(requests, kept)))
        texts = [name for name in ("request", "body", "text", "reasoning", "error") if name in table.column_names]
        return any_of([among(queries, concerned.own), shared, *(concerned.says(table.column(one)) for one in texts)])

    return goes


def of_imported(prompts: frozenset[str]) -> Goes:
    """Return the rule for imported answers: those to prompts that other answers show to be concerned."""
    return lambda table: among(table.column("prompt_id"), prompts)


def of_given(concerned: Concerned) -> Goes:
    """Return the rule for criteria that questions were given."""

    def goes(table: pa.Table) -> Mask:
        return any_of(
            [
                among(table.column("query_id"), concerned.queries),
                lists_with(table.column("origins"), concerned.queries),
                lists_with(table.column("criterion_ids"), concerned.criteria),
                concerned.says(table.column("text")),
            ]
        )

    return goes


def of_origins(concerned: Concerned) -> Goes:
    """Return the rule for what was put down about origins."""

    def goes(table: pa.Table) -> Mask:
        source = pc.equal(table.column("source"), concerned.source or "")
        own = among(table.column("query_id"), concerned.own)
        return any_of([source, own, among(table.column("set_id"), concerned.sets)])

    return goes
