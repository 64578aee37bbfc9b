"""The world: what the course's coroutines work on."""

from .data import COLUMNS, DataError, Prepared, prepare
from .infer import Model, infer, infer_seconds, infer_shard, predict, train_model
from .load import (
    Shard,
    ShardError,
    load_data,
    load_seconds,
    load_shard,
    read_shard,
    uneven_seconds,
)

__all__ = [
    "COLUMNS",
    "DataError",
    "Model",
    "Prepared",
    "Shard",
    "ShardError",
    "infer",
    "infer_seconds",
    "infer_shard",
    "load_data",
    "load_seconds",
    "load_shard",
    "predict",
    "prepare",
    "read_shard",
    "train_model",
    "uneven_seconds",
]
