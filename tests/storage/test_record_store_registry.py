"""A backend is one module and one entry; what is not known is refused before anything is opened."""

import pytest

from storage_app.records import registry
from storage_app.records.errors import UnknownBackendError
from storage_app.records.memory import MemoryRecordStore


@pytest.fixture
def third_party(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(registry, "_BACKENDS", dict(registry._BACKENDS))
    registry.register("third-party", MemoryRecordStore)
    return "third-party"


def test_a_backend_is_opened_by_its_name() -> None:
    assert "memory" in registry.names()
    with registry.open_store("memory", [], lock_timeout=1.0) as store:
        assert isinstance(store, MemoryRecordStore)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownBackendError, match=r"'nothing' is not a record store; choose one of .*memory"):
        registry.open_store("nothing", [])


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownBackendError, match="no option 'lock_time'; it has clock, lock_timeout"):
        registry.open_store("memory", [], lock_time=1)


def test_a_third_party_registers_one_entry(third_party: str) -> None:
    assert isinstance(registry.open_store(third_party, []), MemoryRecordStore)
