"""The same POST sent twice: the first answer is kept for a day and given again, whole.

The row is written in the transaction of the change itself, so there is never an effect without its answer. The body
may hold a secret that must not be stored in the clear: it is sealed with a stream from the server's key, the caller's
key (which is kept only as a digest) and a nonce.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs_app.domain.access import Actor
from jobs_app.errors import BusyError, ConflictError, IdempotencyKeyReusedError, InvalidError
from jobs_app.models import IdempotentAnswer

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
MARK_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    location: str = ""
    replayed: bool = False


def once(actor: Actor, key: str | None, request: bytes, perform: Callable[[], Answer]) -> Answer:
    """The answer of `perform`, which is called at most once for a key; another request under that key is refused."""
    if key is None:
        return perform()
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidError.at("Idempotency-Key", f"use 1 to {LONGEST_KEY} printable ASCII characters")
    key_digest = hashlib.sha256(f"{actor.kind}\0{actor.id}\0{key}".encode()).hexdigest()
    request_digest = hashlib.sha256(request).hexdigest()
    kept = _kept(key_digest)
    if kept is None:
        try:
            return _performed(key_digest, request_digest, key, perform)
        except _AnotherWasFirstError:
            kept = _kept(key_digest)
    if kept is None:
        raise BusyError("The same request is being answered at this moment. Try again in a second.")
    if kept.request_digest != request_digest:
        raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request; use a new one.")
    return Answer(kept.status, _opened(kept, key), kept.location, replayed=True)


class _AnotherWasFirstError(Exception):
    """The row was there when ours was to be written."""


def _kept(key_digest: str) -> IdempotentAnswer | None:
    return IdempotentAnswer.objects.filter(key_digest=key_digest, created_at__gt=timezone.now() - KEPT).first()


def _performed(key_digest: str, request_digest: str, key: str, perform: Callable[[], Answer]) -> Answer:
    nonce = secrets.token_bytes(32)
    secret = settings.SECRET_KEY
    with transaction.atomic():
        IdempotentAnswer.objects.filter(key_digest=key_digest, created_at__lte=timezone.now() - KEPT).delete()
        try:
            with transaction.atomic():
                row = IdempotentAnswer.objects.create(
                    key_digest=key_digest, request_digest=request_digest, nonce=nonce, status=0, sealed_body=b""
                )
        except IntegrityError:
            raise _AnotherWasFirstError from None
        answer = perform()
        row.status, row.location = answer.status, answer.location
        row.sealed_body = _mark(answer.body, secret, nonce) + _masked(answer.body, secret, key, nonce)
        row.save()
    return answer


def _opened(kept: IdempotentAnswer, key: str) -> bytes:
    """With whichever of the server's keys it was sealed: while one is being rotated, the earlier ones still open."""
    sealed, nonce = bytes(kept.sealed_body), bytes(kept.nonce)
    mark, masked = sealed[:MARK_LENGTH], sealed[MARK_LENGTH:]
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        body = _masked(masked, secret, key, nonce)
        if hmac.compare_digest(mark, _mark(body, secret, nonce)):
            return body
    raise ConflictError("This request was answered before the server's secret key was changed; use a new key for it.")


def _mark(body: bytes, secret: str, nonce: bytes) -> bytes:
    """Tells a body that was opened with the right key from noise."""
    return hmac.digest(secret.encode(), b"mark" + nonce + body, "sha256")


def _masked(body: bytes, secret: str, key: str, nonce: bytes) -> bytes:
    """Sealing and opening are the same: exclusive or with a stream that is used for this one body only."""
    seed = hmac.digest(secret.encode(), b"stream" + nonce + key.encode(), "sha256")
    stream = hashlib.shake_256(seed).digest(len(body))
    return bytes(a ^ b for a, b in zip(body, stream, strict=True))
