"""Which engine a recipe's section means; each is imported where it is opened, since they are heavy."""

from pipelines.engines.protocol import Engine
from schemas.recipe import ModelSection


def open_engine(model: ModelSection, key: str | None) -> Engine:
    """Return the engine that a recipe's section asks for; `key` is what `model.key_variable` holds.

    It serves one `dispatch`, which closes it. Nothing is connected before the first request. What outlives a dispatch
    comes from elsewhere: a server of our own from `vllm.server.Servers`, a model loaded here from
    `scorer.engine.Scorers`.
    """
    if model.engine == "simulated":
        from pipelines.engines.simulated.engine import SimulatedEngine

        return SimulatedEngine(model)
    # Half a second and 60 MB that a simulated build need not pay.
    from pipelines.engines.live.calls import CHAT, CLASSIFY
    from pipelines.engines.live.openai_compatible import OpenAICompatibleEngine

    return OpenAICompatibleEngine(model, key, CLASSIFY if model.engine == "score" else CHAT)
