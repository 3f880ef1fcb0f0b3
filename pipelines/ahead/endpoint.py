"""What an endpoint says of itself before it is asked anything: its models, and how long a conversation may be."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schemas.errors import EngineError, ForgeError

TIMEOUT_S = 15.0


class NoModelList(ForgeError, RuntimeError):
    """The endpoint answers, and has no list of its models at this address."""


class KeyRefused(EngineError):
    """The endpoint wants a key, or another one."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that an endpoint lists."""

    name: str
    context: int | None = None
    """Tokens of prompt and answer together, where the endpoint says it."""
    context_from: str = ""
    """Which of the endpoint's words say so."""


def served_models(url: str, key: str | None, way_out: str = "mend base_url") -> list[ServedModel]:
    """Return the models that an endpoint lists, in its order. `way_out` is what to do about a wrong address.

    Raises NoModelList where it has no such list, KeyRefused, and EngineError where nobody answers or the server is of
    another kind.
    """
    import openai

    from pipelines.engines.batch.endpoint import open_client

    try:
        with open_client(url, key, TIMEOUT_S) as client:
            entries = client.models.list().data or []
            return [_served(entry, client) for entry in entries]
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        raise KeyRefused(f"{url} refuses the key") from None
    except openai.NotFoundError:
        raise NoModelList(f"{url} answers, and does not list its models") from None
    except openai.APIConnectionError as error:
        raise EngineError(
            f"{url} cannot be reached ({error.__cause__ or error}); start the server, or {way_out}"
        ) from None
    except openai.InternalServerError as error:  # llama.cpp's server says 503 while it loads its model
        raise EngineError(f"{url} is not ready (HTTP {error.status_code}); wait until it is, then try again") from None
    except (openai.OpenAIError, ValueError, AttributeError, TypeError) as error:
        raise EngineError(f"{url} does not answer like an OpenAI-compatible server: {error}") from None


def _served(entry: Any, client: Any) -> ServedModel:
    """Return one model with its context: vLLM says it in the list, llama.cpp's server beside the API."""
    import openai

    extra = entry.model_extra or {}
    if tokens := _tokens(extra.get("max_model_len")):
        return ServedModel(entry.id, tokens, "max_model_len")
    meta = extra.get("meta")
    if not isinstance(meta, dict):
        return ServedModel(entry.id)
    with suppress(openai.OpenAIError, KeyError, TypeError, ValueError):  # a server need not say it
        root = str(client.base_url).rstrip("/").removesuffix("/v1")
        props = client.get(f"{root}/props", cast_to=object)
        if tokens := _tokens(props["default_generation_settings"]["n_ctx"]):
            return ServedModel(entry.id, tokens, "n_ctx of /props")
    if tokens := _tokens(meta.get("n_ctx")):
        return ServedModel(entry.id, tokens, "meta.n_ctx")
    return ServedModel(entry.id, _tokens(meta.get("n_ctx_train")), "n_ctx_train, which the server may not hold")


def _tokens(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**31 else None
