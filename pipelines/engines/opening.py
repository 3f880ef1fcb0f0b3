"""Which engine a recipe's section means; each is imported where it is opened, since they are heavy."""

from pipelines.engines.protocol import Engine
from schemas.recipe import ModelSection


def open_engine(model: ModelSection, key: str | None) -> Engine:
    """Return the engine that a recipe's section asks for; `key` is what `model.key_variable` holds.

    It serves one `dispatch`, which closes it. Nothing is connected before the first request. An engine in front of a
    server of our own comes from `vllm.server.Servers` instead: that server outlives it.
    """
    if model.engine == "simulated":
        from pipelines.engines.simulated.engine import SimulatedEngine

        return SimulatedEngine(model)
    # Half a second and 60 MB that a simulated build need not pay.
    from pipelines.engines.live.openai_compatible import OpenAICompatibleEngine

    return OpenAICompatibleEngine(model, key)
