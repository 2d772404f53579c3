"""A real S3 endpoint on a port of this machine, for tests, with one bucket for each that asks."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from storage_app.providers.object.provider import ObjectStorageProvider
from tests.storage.s3_keys import KEYS


class S3:
    """`client` is another library's, so that what is there is told by somebody else."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=address,
            region_name=KEYS["region"],
            aws_access_key_id=KEYS["access_key"],
            aws_secret_access_key=KEYS["secret_key"],
        )

    def new_bucket(self) -> str:
        bucket = f"bucket-{uuid.uuid4().hex}"
        self.client.create_bucket(Bucket=bucket)
        return bucket

    def options(self, bucket: str, **options: Any) -> dict[str, Any]:
        return {"bucket": bucket, "endpoint": self.address, **KEYS, **options}

    def provider(self, bucket: str, **options: Any) -> ObjectStorageProvider:
        return ObjectStorageProvider(**self.options(bucket, **options))

    def put(self, bucket: str, key: str, content: bytes, **more: Any) -> None:
        self.client.put_object(Bucket=bucket, Key=key, Body=content, **more)

    def get(self, bucket: str, key: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get_object(Bucket=bucket, Key=key)
        return answer

    def keys(self, bucket: str, outside: str = "\0") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        found = (entry["Key"] for page in pages for entry in page.get("Contents", []))
        return [key for key in found if not key.startswith(outside)]

    def unfinished_uploads(self, bucket: str) -> list[str]:
        answer = self.client.list_multipart_uploads(Bucket=bucket)
        return [upload["Key"] for upload in answer.get("Uploads", [])]


@contextmanager
def s3_server() -> Iterator[S3]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        made = S3(f"http://{host}:{port}")
        yield made
        made.client.close()
    finally:
        server.stop()
