"""Inference, pretend and real: a model that turns images into labels."""

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from .data import HELD_OUT
from .load import Shard, uneven_seconds

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Model", "infer", "infer_seconds", "infer_shard", "predict", "train_model"]


class Model(Protocol):
    """What `predict` asks of a model: scikit-learn's classifiers have it."""

    def predict(self, X: Any, /) -> Any:
        """Turn images, shape (n, 64), into labels, shape (n,)."""


def infer_seconds(data: object, *, seed: int = 5810) -> float:
    """Tell how long `infer` will wait for this data: 0.3 to 1.0 seconds, as in the article.

    Examples
    --------
    >>> [infer_seconds(f"dataset{i} images") for i in (1, 2, 3)]
    [0.79, 0.3, 0.97]
    """
    return uneven_seconds(f"{seed} infer {data}", 0.3, 1.0)


async def infer(model: object, data: object, *, seed: int = 5810) -> str:
    """Pretend to run a model: wait for `infer_seconds`, then name what came out.

    Nothing is computed; `infer_shard` runs a real model on real images.

    Parameters
    ----------
    model
        Anything: it is not used.
    data
        What `load_data` returned.
    seed
        Another seed is another day: the same data, other waiting times.

    Returns
    -------
    str
        Such as ``'dataset1 labels'`` for ``'dataset1 images'``.

    Raises
    ------
    TypeError
        If `data` still has to be awaited.

    Examples
    --------
    In a notebook, plainly ``await infer("model", "dataset1 images")``; in a script:

    >>> asyncio.run(infer("model", "dataset1 images"))
    'dataset1 labels'
    """
    _refuse_awaitable(data)
    await asyncio.sleep(infer_seconds(data, seed=seed))
    return f"{str(data).removesuffix(' images')} labels"


@functools.cache
def train_model() -> Model:
    """Train a forest of 100 trees on the 797 digits that no shard holds.

    Takes 0.2 seconds once scikit-learn is imported; later calls return the same model.
    It gets 933 of the 1,000 held-out images right (measured with scikit-learn 1.9.1).

    Returns
    -------
    Model
        A fitted ``sklearn.ensemble.RandomForestClassifier``, the same on every run.

    Examples
    --------
    >>> model = train_model()
    >>> len(model.estimators_), model.n_features_in_
    (100, 64)
    """
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier

    images, labels = load_digits(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=1)
    model: Model = forest.fit(images[:-HELD_OUT], labels[:-HELD_OUT])
    return model


def predict(model: Model, images: "Shard | NDArray[Any]") -> "NDArray[np.int64]":
    """Name the digit that each image shows. Blocks until the model has done.

    Parameters
    ----------
    model
        What `train_model` returns, or anything with such a ``predict``.
    images
        A `Shard`, or an array of shape (n, 64) with n at least 1 and values from 0 to 16.

    Returns
    -------
    ndarray
        The digits, from 0 to 9, shape (n,).

    Raises
    ------
    TypeError
        If `model` cannot predict, or `images` is no array of numbers.
    ValueError
        If the array has another shape, no image, or a value that no pixel has.

    Examples
    --------
    >>> from helpers.world.data import prepare
    >>> from helpers.world.load import read_shard
    >>> shard = read_shard(prepare("data").files[0])
    >>> labels = predict(train_model(), shard)
    >>> labels[:5].tolist(), (labels == shard.labels).sum().item()
    ([1, 2, 3, 4, 5], 95)
    """
    if not callable(getattr(model, "predict", None)) or isinstance(model, type):
        raise TypeError(
            f"expected a trained model, saw {_name(model)}, which cannot predict: "
            "use model = train_model()"
        )
    array = images.images if isinstance(images, Shard) else images
    _check_images(array)
    labels: NDArray[np.int64] = model.predict(array)
    return labels


async def infer_shard(model: Model, shard: "Shard | NDArray[Any]") -> "NDArray[np.int64]":
    """Name the digits in a thread, so that the event loop can go on meanwhile.

    Takes, returns and raises what `predict` does.

    Examples
    --------
    >>> from helpers.world.data import prepare
    >>> from helpers.world.load import read_shard
    >>> shard = read_shard(prepare("data").files[0])
    >>> asyncio.run(infer_shard(train_model(), shard))[:5].tolist()
    [1, 2, 3, 4, 5]
    """
    return await asyncio.to_thread(predict, model, shard)


def _name(thing: object) -> str:
    if isinstance(thing, type) or inspect.isroutine(thing):
        return f"{thing.__name__} itself"
    return f"a value of type {type(thing).__name__}"


def _refuse_awaitable(data: object) -> None:
    if inspect.isawaitable(data):
        raise TypeError(
            f"expected data, saw {_name(data)} that nobody has awaited: "
            "write data = await load_data(path) first"
        )


def _check_images(images: object) -> None:
    import numpy as np

    _refuse_awaitable(images)
    wanted = "a Shard or an array of numbers, shape (n, 64)"
    if not isinstance(images, np.ndarray):
        raise TypeError(f"expected {wanted}, saw {_name(images)}: use read_shard(path)")
    if images.dtype.kind not in "uif":
        raise TypeError(f"expected {wanted}, saw dtype {images.dtype}: use images.astype(float)")
    if images.ndim != 2 or images.shape[1] != 64:
        unfolded = images.ndim == 1 or images.shape[-2:] == (8, 8)
        use = "images.reshape(-1, 64)" if unfolded and images.size % 64 == 0 else "all 64 pixels"
        raise ValueError(f"expected shape (n, 64), saw {images.shape}: use {use}")
    if not len(images):
        raise ValueError("expected at least one image, saw shape (0, 64): skip an empty batch")
    wrong = ~((images >= 0) & (images <= 16))  # true for nan too
    if wrong.any():
        image, pixel = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(
            f"image {image}, pixel {pixel}: expected 0 to 16, saw {images[image, pixel]}: "
            "mend or scale the pixels first"
        )
