"""One large file there and back: how much memory over an idle process, each in a process of its own."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import boto3

from tests.storage.s3_keys import KEYS
from tests.storage.s3_process import s3_process

ROOT: Final = Path(__file__).resolve().parents[3]
MIB: Final = 1024 * 1024


def lines(mebibytes: int) -> Iterator[str]:
    yield f"A file of {mebibytes} MiB, written and read as a stream"
    with tempfile.TemporaryDirectory() as folder:
        yield _line("local", {"provider": "local", "root_path": folder}, mebibytes)
    with s3_process() as address:
        amazon: Any = boto3.client(
            "s3",
            endpoint_url=address,
            region_name=KEYS["region"],
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )
        amazon.create_bucket(Bucket="bench")
        yield _line("object", {"provider": "object", "bucket": "bench", "endpoint": address, **KEYS}, mebibytes)


def _line(name: str, definition: dict[str, Any], mebibytes: int) -> str:
    command = [sys.executable, "-m", "tests.storage.provider_child", json.dumps(definition), "there_and_back"]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, str(mebibytes * MIB)], cwd=ROOT, capture_output=True, text=True, timeout=1800, check=True
    )
    idle, peak, _ = done.stdout.split()
    seconds = time.perf_counter() - started
    return f"  {name:8} {(int(peak) - int(idle)) / 1024:7.1f} MiB over {int(idle) / 1024:.0f}, in {seconds:.1f} s"
