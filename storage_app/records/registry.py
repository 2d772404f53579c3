"""Names of backends. A new one is a module, and one line here or one call of `register`."""

import inspect
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, Final

from storage_app.records.base import RecordStore
from storage_app.records.declarations import Collection
from storage_app.records.errors import UnknownBackendError

Factory = Callable[..., RecordStore]

# By text, so that choosing one backend does not import the others and what they need.
_BACKENDS: Final[dict[str, str | Factory]] = {
    "database": "storage_app.records.database.store:DatabaseRecordStore",
    "file": "storage_app.records.file.store:FileRecordStore",
    "memory": "storage_app.records.memory:MemoryRecordStore",
}


def names() -> list[str]:
    return sorted(_BACKENDS)


def register(name: str, factory: str | Factory) -> None:
    """`factory` takes the collections and keyword options, or is `module:attribute` of one that does."""
    _BACKENDS[name] = factory


def open_store(name: str, collections: Iterable[Collection], **options: Any) -> RecordStore:
    """The store; UnknownBackendError for a name or an option that is not known, before anything is opened."""
    factory = _factory(name)
    known = _options(factory)
    for option in sorted(options.keys() - known):
        raise UnknownBackendError(
            f"the record store {name!r} has no option {option!r}; it has {', '.join(sorted(known))}", option=option
        )
    return factory(collections, **options)


def _factory(name: str) -> Factory:
    if name not in _BACKENDS:
        raise UnknownBackendError(f"{name!r} is not a record store; choose one of {', '.join(names())}", name=name)
    factory = _BACKENDS[name]
    if isinstance(factory, str):
        module, _, attribute = factory.partition(":")
        factory = _BACKENDS[name] = getattr(import_module(module), attribute)
    assert callable(factory)
    return factory


def _options(factory: Factory) -> set[str]:
    parameters = inspect.signature(factory).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}
