"""The tables that readers meet, in the order of docs/tables.md: those of snapshots, then those of evaluations."""

from schemas.candidate import GRADED_TABLE, TRACES_TABLE
from schemas.evaluation import CREDITS_TABLE, FIGURES_TABLE, ITEMS_TABLE, JUDGEMENTS_TABLE
from schemas.generation import GENERATIONS_TABLE
from schemas.preference import SETS_TABLE
from schemas.rubric import RUBRICS_TABLE
from schemas.training import META_RM_TABLE, PAIRS_TABLE, RFT_MESSAGES_TABLE, RFT_TABLE, RL_TABLE
from schemas.trajectory import TRAJECTORIES_TABLE

TABLES = (
    SETS_TABLE,
    TRAJECTORIES_TABLE,
    RFT_TABLE,
    RFT_MESSAGES_TABLE,
    RL_TABLE,
    META_RM_TABLE,
    PAIRS_TABLE,
    TRACES_TABLE,
    GRADED_TABLE,
    RUBRICS_TABLE,
    GENERATIONS_TABLE,
)
EVALUATION_TABLES = (ITEMS_TABLE, JUDGEMENTS_TABLE, FIGURES_TABLE, CREDITS_TABLE)
