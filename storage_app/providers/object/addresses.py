"""Which store the options mean. Whoever writes settings chooses the address; here is only what it must look like.

The store may lie in a private network, as most of one's own do. What answers on link-local addresses gives out
credentials of the machine, so no endpoint may name one. Imports nothing of the client, so that settings can be checked
where nobody uses it.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from storage_app import paths

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SERVICES: Final = ("s3", "gcs", "azure")
# 900 bytes of a path, a project's folder, and what S3 allows for a key.
LONGEST_PREFIX_BYTES: Final = 60


def check(options: Mapping[str, Any]) -> None:
    """ValueError for what cannot be meant; the text names the option and never a secret."""
    service = options.get("service", "s3")
    if service not in SERVICES:
        raise ValueError(f"service must be one of {', '.join(SERVICES)}")
    if not _BUCKETS[service].fullmatch(options["bucket"]):
        raise ValueError("bucket is not a name that the service allows")
    if prefix := options.get("prefix"):
        _check_prefix(prefix)
    if endpoint := options.get("endpoint"):
        check_endpoint(endpoint)
    if not options.get("timeout", 30.0) > 0:
        raise ValueError("timeout must be more than 0 seconds")
    _check_keys(service, options)


def check_endpoint(endpoint: str) -> None:
    """ValueError for what is no address of a server, or one of this machine's own surroundings."""
    parts = _parts(endpoint)
    if parts is None:
        raise ValueError("endpoint must be an address such as https://s3.example.org, without user and query")
    try:
        address = ipaddress.ip_address(parts)
    except ValueError:
        # `2130706433` and `0x7f.1` are addresses to some resolvers, and names to whoever reads settings.
        if _NUMERIC.fullmatch(parts):
            raise ValueError("endpoint must have its address in the usual form") from None
        if parts.rstrip(".").lower() in _METADATA_HOSTS:
            raise ValueError("endpoint must not be a link-local or unspecified address") from None
        return
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_link_local or plain.is_unspecified or plain.is_multicast or str(plain) in _METADATA_HOSTS:
        raise ValueError("endpoint must not be a link-local or unspecified address")


def opened(options: Mapping[str, Any], timeout: float) -> "ObjectStore":
    """A client; nothing is asked yet. `timeout` is the longest silence of the server, in seconds."""
    from obstore.store import AzureStore, GCSStore, S3Store

    key, secret = options["access_key"], options["secret_key"]
    common: dict[str, Any] = {
        "prefix": options["prefix"] or None,
        "client_options": {
            "connect_timeout": timedelta(seconds=min(timeout, 5.0)),
            "read_timeout": timedelta(seconds=timeout),
            # A download may take as long as it likes while bytes come.
            "timeout": timedelta(days=1),
            "allow_http": bool(options["endpoint"] and urlsplit(options["endpoint"]).scheme == "http"),
        },
        "retry_config": {"max_retries": 2, "retry_timeout": timedelta(seconds=timeout)},
        **({"skip_signature": True} if options["anonymous"] else {}),
    }
    match options["service"]:
        case "gcs":
            own = _given(service_account_key=secret, base_url=options["endpoint"])
            return GCSStore(options["bucket"], **common, **own)
        case "azure":
            own = _given(account_name=key, account_key=secret, endpoint=options["endpoint"])
            return AzureStore(options["bucket"], **common, **own)
        case _:
            own = _given(
                access_key_id=key,
                secret_access_key=secret,
                endpoint=options["endpoint"],
                region=options["region"] or "us-east-1",
            )
            return S3Store(options["bucket"], **common, **own)


def _check_prefix(prefix: str) -> None:
    try:
        normal = paths.normalised(prefix)
    except paths.InvalidPathError as error:
        raise ValueError(f"prefix {error}") from error
    if len(normal.encode()) > LONGEST_PREFIX_BYTES:
        raise ValueError(f"prefix is longer than {LONGEST_PREFIX_BYTES} bytes")


def _check_keys(service: str, options: Mapping[str, Any]) -> None:
    key, secret = bool(options.get("access_key")), bool(options.get("secret_key"))
    if options.get("anonymous") and (key or secret):
        raise ValueError("anonymous is for a bucket that is read without keys; leave out access_key and secret_key")
    if service == "s3" and key != secret:
        raise ValueError("access_key and secret_key belong together")
    if service == "azure" and not key:
        raise ValueError("access_key must be the name of the storage account")
    if service == "gcs" and key:
        raise ValueError("secret_key is the service account's key as JSON, and there is no access_key")


def _parts(endpoint: str) -> str | None:
    """The host, or None."""
    try:
        parts = urlsplit(endpoint)
        _ = parts.port
    except ValueError:
        return None
    strange = parts.username is not None or parts.query or parts.fragment or not _VISIBLE.fullmatch(endpoint)
    return None if parts.scheme not in ("http", "https") or strange else parts.hostname


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value}


_BUCKETS: Final = {
    "s3": re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]"),
    "gcs": re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"),
    "azure": re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}"),
}
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9a-fA-F]+|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]+|[0-9]+))*\.?")
# Metadata services that are not link-local, and the name of one that is.
_METADATA_HOSTS: Final = frozenset({"100.100.100.200", "fd00:ec2::254", "metadata.google.internal", "metadata"})
