"""`[refresh]`: what a nightly refresh keeps, and what holds LATEST back."""

from typing import Annotated

from pydantic import Field

from schemas.recipe.section import Count, Number, Section, Share, Whole

LONGEST_LEASE_S = 3_600
"""No lease has a longer term: one that says so is damaged. A taker watches three tenths of a term, 18 minutes then."""


class RefreshSection(Section):
    """`[refresh]`: what `grmforge refresh` keeps, and what holds LATEST back; see docs/operations.md."""

    keep: Count = 7
    """Versions kept, the newest ones; LATEST and pinned versions are kept besides, and the one that LATEST named before
    a refresh, until the next one."""
    max_acceptance_change: Annotated[Number, Field(ge=0, le=100)] = 5.0
    """Percentage points by which the accepted share of the answers may move, of each source and of all together, beyond
    what chance allows for so many sets; 100 switches this guard off."""
    max_source_shrink: Share = 0.1
    """Share of its kept sets that a source may lose; 1 switches this guard off, but for a source that is left without
    any."""
    max_leak_rise: Annotated[Number, Field(ge=0, le=1)] = 0.05
    """How much the AUC of a source's leak probe may rise, beyond what chance allows. Where the version before has none,
    it may not be above leaks.threshold by more than chance allows. 1 switches this guard off."""
    lease_s: Annotated[Whole, Field(ge=1, le=LONGEST_LEASE_S)] = 600
    """Seconds after which another run may take over from one that died. A living one renews its lease ten times as
    often."""
