"""An outbox in a process of its own: a database file and a storage, both given by the caller."""

import gc
import importlib
import json
import os
import traceback
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

ALIAS: Final = "files"
PROJECT: Final = "alpha"
# What forks would otherwise load each for itself.
USED: Final = (
    *("storage_app.outbox.flushing", "storage_app.outbox.pending", "storage_app.outbox.tables"),
    *("storage_app.file_storages", "storage_app.providers.local", "storage_app.providers.github"),
    *("storage_app.providers.object.provider", "httpx", "obstore"),
)


def prepare(folder: Path, definition: dict[str, Any]) -> None:
    """Before anything of ours is imported: settings know the database in the folder, which has all tables already, and
    the one storage.
    """
    os.environ["HOLDFAST_DATA_DIR"] = str(folder)
    os.environ["HOLDFAST_ENV_FILE"] = str(folder / "none.env")
    (folder / "none.env").touch()
    os.environ["HOLDFAST_STORAGES"] = json.dumps({ALIAS: definition})
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    import django

    django.setup()
    for name in USED:
        importlib.import_module(name)
    gc.freeze()  # or each fork would, at its end, go through all that is loaded here


def use(database: Path, definition: dict[str, Any]) -> None:
    """Another database file and another storage, in a process that has opened neither."""
    from django.conf import settings
    from django.db import connection

    connection.settings_dict["NAME"] = str(database)
    settings.FILE_STORAGES = {ALIAS: definition}


def finish(parked: Sequence[str] = ()) -> None:
    """What the next process does: the lease of the dead has ended, and everything that waits is sent. `parked` may be
    left to a person, since nobody can tell whether they went out.
    """
    from django.utils import timezone

    from storage_app.outbox import flushing
    from storage_app.outbox.tables import OutboxLine, PendingChange

    OutboxLine.objects.update(held_until=timezone.now() - timedelta(seconds=1), retry_at=None)
    flushing.flush(ALIAS, PROJECT)
    for change in PendingChange.objects.all():
        assert change.path in parked, (change.path, change.state, change.reason)
        assert (change.state, change.reason["details"]) == ("parked", {"reason": "outcome_unknown"}), change.reason


def in_child(work: Callable[[], int]) -> int:
    """What it returned, or minus the signal that ended it."""
    return ended(started(work))


def started(work: Callable[[], int]) -> int:
    """The id of a fork that does it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            code = work()
        except BaseException:  # noqa: BLE001 - told, and the child ends here
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
