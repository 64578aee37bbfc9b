"""The world: what the course's coroutines work on.

The servers are loaded when they are asked for: they bring libraries with them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .batcher import Batcher, BatchFailed, Closed, DeadlinePassed, Overloaded
from .data import COLUMNS, DataError, Prepared, prepare
from .infer import Model, infer, infer_seconds, infer_shard, predict, train_model
from .load import (
    Shard,
    ShardError,
    load_data,
    load_seconds,
    load_shard,
    parse_shard,
    read_shard,
    uneven_seconds,
)
from .service import Refused, Service
from .traffic import Sent, arrivals, closed_loop, open_loop, percentile

if TYPE_CHECKING:
    from .api import Api, serve
    from .database import NoDatabase, postgres
    from .llm import CHAT_MODEL, EMBEDDING_MODEL, Llm
    from .server import ModelServer, serve_model

__all__ = [
    "CHAT_MODEL",
    "COLUMNS",
    "EMBEDDING_MODEL",
    "Api",
    "BatchFailed",
    "Batcher",
    "Closed",
    "DataError",
    "DeadlinePassed",
    "Llm",
    "Model",
    "ModelServer",
    "NoDatabase",
    "Overloaded",
    "Prepared",
    "Refused",
    "Sent",
    "Service",
    "Shard",
    "ShardError",
    "arrivals",
    "closed_loop",
    "infer",
    "infer_seconds",
    "infer_shard",
    "load_data",
    "load_seconds",
    "load_shard",
    "open_loop",
    "parse_shard",
    "percentile",
    "postgres",
    "predict",
    "prepare",
    "read_shard",
    "serve",
    "serve_model",
    "train_model",
    "uneven_seconds",
]

_LATER = {
    "Api": ".api",
    "serve": ".api",
    "NoDatabase": ".database",
    "postgres": ".database",
    "CHAT_MODEL": ".llm",
    "EMBEDDING_MODEL": ".llm",
    "Llm": ".llm",
    "ModelServer": ".server",
    "serve_model": ".server",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
