"""A storage as Django's documentation asks for it, from sync and async code, on any provider."""

import asyncio
import io
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import InvalidStorageError, storages
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.management import call_command
from django.db import models
from django.test.utils import isolate_apps
from django.utils import timezone
from pytest_django import Settings

from storage_app import file_storages
from storage_app.django_storage import ProviderStorage
from storage_app.provider_files import StoredFile
from storage_app.providers.memory import MemoryStorageProvider
from tests.storage.hostile_paths import REFUSED
from tests.storage.s3 import S3


@pytest.fixture(params=["local", "memory", "object"])
def storage(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Iterator[ProviderStorage]:
    settings.FILE_STORAGES = {"default": {"provider": request.param, **options_of(request, tmp_path)}}
    yield ProviderStorage(base_url="/media")
    file_storages.close()


def options_of(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    match request.param:
        case "local":
            return {"root_path": str(folder / "files")}
        case "object":
            server: S3 = request.getfixturevalue("s3")
            return server.options(server.new_bucket(), prefix="media")
        case _:
            return {}


def content_of(storage: ProviderStorage, name: str) -> bytes:
    with storage.open(name) as file:
        content: bytes = file.read()
    return content


def test_what_was_saved_is_there_with_all_that_is_known_of_it(storage: ProviderStorage) -> None:
    assert not storage.exists("notes/a.txt")
    name = storage.save("notes/a.txt", ContentFile(b"content"))
    assert name == "notes/a.txt"
    assert storage.exists(name)
    assert storage.exists("notes")
    assert content_of(storage, name) == b"content"
    assert storage.size(name) == 7
    assert timezone.is_aware(storage.get_modified_time(name))
    assert abs(timezone.now() - storage.get_modified_time(name)) < timedelta(minutes=5)
    storage.delete(name)
    assert not storage.exists(name)
    assert not storage.exists("notes")


def test_times_are_naive_where_django_has_no_zones(storage: ProviderStorage, settings: Settings) -> None:
    name = storage.save("a.txt", ContentFile(b""))
    settings.USE_TZ = False
    assert timezone.is_naive(storage.get_modified_time(name))


def test_what_is_missing_is_told_as_by_djangos_own(storage: ProviderStorage) -> None:
    storage.save("folder/file", ContentFile(b""))
    storage.delete("missing.txt")
    for name in ("missing.txt", "folder"):
        for call in (storage.size, storage.get_modified_time, lambda name: storage.open(name).read()):
            with pytest.raises(FileNotFoundError):
                call(name)
        with pytest.raises(FileNotFoundError):
            storage.open(name, "r+b")
    assert storage.listdir("missing") == ([], [])
    with pytest.raises(ValueError, match="name"):
        storage.delete("")


def test_a_taken_name_gives_another_one(storage: ProviderStorage) -> None:
    first = storage.save("a/b.tar.gz", ContentFile(b"first"))
    second = storage.save("a/b.tar.gz", ContentFile(b"second"))
    assert first == "a/b.tar.gz"
    assert second != first
    assert second.startswith("a/b_")
    assert second.endswith(".tar.gz")
    assert content_of(storage, first) == b"first"
    assert content_of(storage, second) == b"second"


def test_another_name_fits_the_length_there_is(storage: ProviderStorage) -> None:
    storage.save("a" * 20 + ".txt", ContentFile(b"1"), max_length=24)
    name = storage.save("a" * 20 + ".txt", ContentFile(b"2"), max_length=24)
    assert len(name) <= 24
    assert content_of(storage, name) == b"2"


def test_many_saving_one_name_at_once_have_a_file_each(storage: ProviderStorage) -> None:
    """Each looks, finds the name free, and writes: only one can have it, none may be overwritten."""
    names: dict[int, str] = {}
    start = threading.Barrier(8)

    def save(number: int) -> None:
        start.wait(10)
        names[number] = storage.save("same.txt", ContentFile(b"%d" % number))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(names.values())) == 8
    for number, name in names.items():
        assert content_of(storage, name) == b"%d" % number


def test_a_folder_is_listed_as_folders_and_files(storage: ProviderStorage) -> None:
    for name in ("a.txt", "b/c.txt", "b/d/e.txt"):
        storage.save(name, ContentFile(b""))
    assert storage.listdir("") == (["b"], ["a.txt"])
    for folder in ("b", "b/", "/b"):
        assert storage.listdir(folder) == (["d"], ["c.txt"])


def test_an_address_is_made_of_base_and_name(storage: ProviderStorage) -> None:
    assert storage.url("a b/ü#?.txt") == "/media/a%20b/%C3%BC%23%3F.txt"
    with pytest.raises(ValueError, match="not accessible via a URL"):
        ProviderStorage().url("a.txt")
    with pytest.raises(NotImplementedError):
        storage.path("a.txt")


def test_hostile_names_are_suspicious_for_every_method(storage: ProviderStorage) -> None:
    for name in REFUSED:
        if not name:
            continue
        for call in (storage.exists, storage.size, storage.delete, storage.open, storage.get_modified_time):
            with pytest.raises(SuspiciousFileOperation):
                call(name)
    assert storage.listdir("") == ([], [])


def test_hostile_names_are_not_saved_under_them(storage: ProviderStorage) -> None:
    """Django's own check comes first and has words of its own; the name that comes out is a safe one."""
    for name in REFUSED:
        try:
            saved = storage.save(name, ContentFile(b""))
        except (SuspiciousFileOperation, ValueError):
            continue
        assert saved not in REFUSED


def test_a_base_path_holds_all_names(storage: ProviderStorage) -> None:
    inner = ProviderStorage(base_path="uploads/of users")
    assert inner.save("a.txt", ContentFile(b"1")) == "a.txt"
    assert inner.listdir("") == ([], ["a.txt"])
    assert inner.exists("a.txt")
    assert storage.exists("uploads/of users/a.txt")
    assert not inner.exists("uploads")
    with pytest.raises(SuspiciousFileOperation):
        inner.open("../../a.txt")


def test_content_in_chunks_and_from_anything_readable(storage: ProviderStorage) -> None:
    large = os.urandom(3_000_001)
    upload = TemporaryUploadedFile("up.bin", "application/octet-stream", len(large), None)
    upload.write(large)
    assert content_of(storage, storage.save("a.bin", upload)) == large
    upload.close()
    assert content_of(storage, storage.save("b.bin", io.BytesIO(large))) == large
    assert content_of(storage, storage.save("c.txt", ContentFile("Grüße"))) == "Grüße".encode()
    with storage.open("a.bin") as file:
        chunks = list(file.chunks(100_000))
        assert b"".join(chunks) == large
        assert all(len(chunk) <= 100_000 for chunk in chunks)
        assert list(file.chunks(1_000_000)) == [large[i : i + 1_000_000] for i in range(0, len(large), 1_000_000)]


def test_a_file_is_read_anywhere_in_it(storage: ProviderStorage) -> None:
    content = bytes(range(256)) * 20_000
    storage.save("a", ContentFile(content))
    with storage.open("a") as file:
        assert isinstance(file, StoredFile)
        assert file.size == len(content)
        assert file.name == "a"
        assert file.seek(-10, os.SEEK_END) == len(content) - 10
        assert file.read() == content[-10:]
        file.seek(2_000_000)
        assert file.read(10) == content[2_000_000:2_000_010]
        file.seek(5, os.SEEK_CUR)
        assert file.tell() == 2_000_015
        assert file.read(1) == content[2_000_015:2_000_016]
        file.seek(0)
        assert file.read() == content
    assert file.closed


def test_a_file_that_changes_while_it_is_read_is_an_error_and_no_mixture(storage: ProviderStorage) -> None:
    storage.save("a", ContentFile(b"old " * 1_000_000))
    with storage.open("a") as file:
        file.read(10)
        with storage.open("a", "wb") as other:
            other.write(b"new " * 1_000_000)
        file.seek(3_500_000)
        with pytest.raises(OSError, match="changed while it was read"):
            file.read(1)


def test_lines_of_text(storage: ProviderStorage) -> None:
    with storage.open("a.txt", "w") as file:
        file.write("Grüße\nan alle\n")
    assert content_of(storage, "a.txt") == "Grüße\nan alle\n".encode()
    with storage.open("a.txt", "r") as file:
        assert file.read() == "Grüße\nan alle\n"
    with storage.open("a.txt") as file:
        assert list(file) == ["Grüße\n".encode(), b"an alle\n"]


def test_modes_of_writing(storage: ProviderStorage) -> None:
    with storage.open("a", "wb") as file:
        file.write(b"12345")
        assert not storage.exists("a"), "it is sent when it is closed"
    with storage.open("a", "ab") as file:
        file.write(b"678")
    assert content_of(storage, "a") == b"12345678"
    with storage.open("a", "r+b") as file:
        assert file.read(2) == b"12"
        file.seek(0)
        file.write(b"xx")
    assert content_of(storage, "a") == b"xx345678"
    with storage.open("a", "wb"):
        pass
    assert content_of(storage, "a") == b""
    with storage.open("new", "ab") as file:
        file.write(b"1")
    assert content_of(storage, "new") == b"1"
    taken = storage.open("a", "xb")
    with pytest.raises(FileExistsError):
        taken.close()


def test_leaving_by_an_error_sends_nothing(storage: ProviderStorage) -> None:
    storage.save("a", ContentFile(b"before"))

    def write_half() -> None:
        with storage.open("a", "wb") as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert content_of(storage, "a") == b"before"


def test_equal_settings_make_equal_storages_that_migrations_can_write(storage: ProviderStorage) -> None:
    assert ProviderStorage("a", "b/") == ProviderStorage("a", "/b")
    assert ProviderStorage("a") != ProviderStorage("b")
    path, args, kwargs = ProviderStorage("a", base_path="b").deconstruct()  # type: ignore[attr-defined]
    assert path == "storage_app.django_storage.ProviderStorage"
    assert ProviderStorage(*args, **kwargs) == ProviderStorage("a", "b")


@isolate_apps("storage_app")
def test_a_file_field_of_a_model(storage: ProviderStorage) -> None:
    class Letter(models.Model):  # noqa: DJ008 - nobody looks at it
        attachment = models.FileField(upload_to="letters/%Y", storage=storage)

        class Meta:
            app_label = "storage_app"

    letter = Letter()
    letter.attachment.save("Brief von Ö.txt", ContentFile(b"Dear"), save=False)
    name = letter.attachment.name
    assert name is not None
    assert name.startswith(f"letters/{timezone.now().year}/Brief_von_Ö")
    assert letter.attachment.size == 4
    assert letter.attachment.url.startswith("/media/letters/")
    with letter.attachment.open() as file:
        assert file.read() == b"Dear"
    letter.attachment = File(io.BytesIO(b"new"), "second.txt")
    assert letter.attachment.size == 3
    letter.attachment.save("second.txt", letter.attachment.file, save=False)
    assert content_of(storage, str(letter.attachment.name)) == b"new"
    letter.attachment.delete(save=False)
    assert not letter.attachment
    assert storage.listdir(f"letters/{timezone.now().year}")[1] == [name.rpartition("/")[2]]


def test_static_files_can_be_collected_into_one(storage: ProviderStorage, settings: Settings, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "css").mkdir(parents=True)
    (source / "css" / "a.css").write_text("a {}")
    settings.STATICFILES_DIRS = [source]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    options = {"alias": "default", "base_path": "static"}
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "storage_app.django_storage.ProviderStorage", "OPTIONS": options},
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    assert content_of(storage, "static/css/a.css") == b"a {}"
    (source / "css" / "a.css").write_text("b {}")
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    assert storage.listdir("static/css") == ([], ["a.css"])
    assert content_of(storage, "static/css/a.css") == b"b {}"


def test_every_configured_storage_is_one_of_djangos(settings: Settings) -> None:
    assert set(settings.FILE_STORAGES) == {"default"}
    found = storages["default"]
    assert found == ProviderStorage("default")
    with pytest.raises(InvalidStorageError):
        storages["missing"]


def test_async_code_has_the_same_by_other_names(storage: ProviderStorage) -> None:
    async def use() -> None:
        name = await storage.asave("a.txt", ContentFile(b"content"))
        assert await storage.aexists(name)
        file = await storage.aopen(name)
        assert await asyncio.to_thread(file.read) == b"content"
        await asyncio.to_thread(file.close)
        await storage.adelete(name)
        assert not await storage.aexists(name)

    asyncio.run(asyncio.wait_for(use(), 30))


def test_sync_calls_within_async_code_do_not_wait_for_themselves(storage: ProviderStorage) -> None:
    async def use() -> None:
        storage.save("a.txt", ContentFile(b"content"))
        assert content_of(storage, "a.txt") == b"content"

    asyncio.run(asyncio.wait_for(use(), 30))


def test_all_calls_meet_one_provider_on_one_loop(storage: ProviderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[int, int]] = set()
    provider: Any = file_storages.run(lambda storages: _itself(storages.get("default")))
    original = type(provider)._info

    async def watched(self: Any, path: str) -> Any:
        seen.add((id(self), id(asyncio.get_running_loop())))
        return await original(self, path)

    monkeypatch.setattr(type(provider), "_info", watched)
    threads = [threading.Thread(target=storage.exists, args=("a",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    asyncio.run(storage.aexists("a"))
    storage.exists("a")
    assert len(seen) == 1


async def _itself(value: Any) -> Any:
    return value


def test_waiting_on_the_loop_for_the_loop_is_refused(storage: ProviderStorage) -> None:
    async def on_the_loop() -> None:
        storage.exists("a")

    with pytest.raises(RuntimeError, match="await instead"):
        file_storages.run(lambda _: on_the_loop())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_of_a_fork_has_a_loop_of_its_own(settings: Settings, tmp_path: Path) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "local", "root_path": str(tmp_path / "files")}}
    storage = ProviderStorage()
    storage.save("of-parent", ContentFile(b"1"))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            storage.save("of-child", ContentFile(b"2"))
            code = 0 if storage.exists("of-parent") else 2
            file_storages.close()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert content_of(storage, "of-child") == b"2"
    storage.save("after", ContentFile(b"3"))
    file_storages.close()


def test_settings_that_change_are_followed(settings: Settings) -> None:
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    storage = ProviderStorage()
    storage.save("a", ContentFile(b""))
    provider: Any = file_storages.run(lambda storages: _itself(storages.get("default")))
    assert isinstance(provider, MemoryStorageProvider)
    settings.FILE_STORAGES = {"default": {"provider": "memory"}}
    assert not storage.exists("a")
    file_storages.close()
