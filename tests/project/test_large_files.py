"""A file larger than memory should hold: through the real server, in flat memory, taken up again where it broke off.

`LARGE_FILE_MB` is its size.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from tests.project.servers import ROOT, Server
from tests.storage.s3_keys import KEYS
from tests.storage.s3_process import s3_process

MEGABYTES = int(os.environ.get("LARGE_FILE_MB", "160"))
PIECE = os.urandom(1024 * 1024)
MOST_OVER_IDLE = 100 * 1024 * 1024
PREPARE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from jobs_app.domain.access import COMMAND, Scope
from jobs_app.services import projects, tokens
projects.create(COMMAND, "alpha")
print(tokens.create(COMMAND, "alpha", "large", [Scope.READ, Scope.WRITE])[1])
"""

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read from /proc")


class Product(Server):
    """The product itself, with a project and a token."""

    def __init__(self, data: Path, storages: dict[str, Any]) -> None:
        data.mkdir()
        environ = {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "HOLDFAST_DATA_DIR": str(data),
            "HOLDFAST_STORAGES": json.dumps(storages),
        }
        made = subprocess.run(
            [sys.executable, "-c", PREPARE], cwd=ROOT, env={**os.environ, **environ}, capture_output=True, check=True
        )
        self.headers = {"Authorization": f"Bearer {made.stdout.decode().split()[-1]}"}
        super().__init__(data, "--workers", "1", **environ)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz").is_success
        except httpx.TransportError:
            return False

    def memory(self) -> int:
        """Resident bytes of the server and what it started."""
        return sum(_resident(pid) for pid in _family(self.process.pid))


@pytest.fixture(params=["default", "bucket"])
def storage(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """The folder that everybody has, or a bucket on a server of its own; with what the settings say of it."""
    if request.param == "default":
        yield "default", {}
        return
    with s3_process() as address:
        amazon: Any = boto3.client(
            "s3",
            endpoint_url=address,
            region_name=KEYS["region"],
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )
        amazon.create_bucket(Bucket="large")
        amazon.close()
        yield "bucket", {"bucket": {"provider": "object", "bucket": "large", "endpoint": address, **KEYS}}


@pytest.fixture
def product(tmp_path: Path, storage: tuple[str, dict[str, Any]]) -> Iterator[Product]:
    product = Product(tmp_path / "data", storage[1])
    yield product
    product.end()


def test_a_large_file_goes_in_and_out_in_flat_memory_and_is_resumed(
    product: Product, storage: tuple[str, dict[str, Any]]
) -> None:
    address = f"{product.url}/api/v1/projects/alpha/storages/{storage[0]}/files/large.bin"
    with httpx.Client(headers=product.headers, timeout=300) as client:
        client.put(f"{address}.small", content=b"x").raise_for_status()
        client.get(f"{address}.small").raise_for_status()
        idle = product.memory()
        with Watch(product) as watch:
            made = client.put(address, content=pieces())
            assert made.status_code == 201, made.text
            digest = hashlib.sha256()
            taken = take(client, address, digest, 0, MEGABYTES * len(PIECE) // 2)
            assert 0 < taken < MEGABYTES * len(PIECE)
            take(client, address, digest, taken, None, made.headers["ETag"])
    assert made.headers["ETag"] == f'"sha256:{digest.hexdigest()}"'
    assert watch.looks > 3
    over = watch.most - idle
    assert over < MOST_OVER_IDLE, f"{over / 1e6:.0f} MB over idle"
    print(f"{MEGABYTES} MB in and out: {over / 1e6:.0f} MB over idle")


def pieces() -> Iterator[bytes]:
    for _ in range(MEGABYTES):
        yield PIECE


def take(
    client: httpx.Client, address: str, digest: "hashlib._Hash", start: int, most: int | None, tag: str = ""
) -> int:
    """From there on, and away after so many bytes; where it stopped."""
    headers = {"Range": f"bytes={start}-", "If-Range": tag} if start else {}
    with client.stream("GET", address, headers=headers) as answer:
        assert answer.status_code == (206 if start else 200)
        for piece in answer.iter_bytes():
            digest.update(piece)
            start += len(piece)
            if most is not None and start >= most:
                break
    return start


class Watch:
    """The most memory that was seen while the block ran."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = self.looks = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, self._product.memory())
            self.looks += 1


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += _family(int(child))
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (FileNotFoundError, ProcessLookupError):
        return 0
