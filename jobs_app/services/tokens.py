"""Bearer tokens: shown once, kept as a digest, bound to a project, ended at once when revoked."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from jobs_app.domain import token as token_format
from jobs_app.domain.access import Actor, Scope
from jobs_app.errors import ConflictError, InvalidError, NotFoundError
from jobs_app.models import Project, Token
from jobs_app.services import access, audit

LONGEST_NAME = 100
OVERLAP = timedelta(hours=24)
LONGEST_LIFE = timedelta(days=3650)
USE_IS_NOTED_EVERY = timedelta(minutes=1)


def of(actor: Actor, slug: str) -> QuerySet[Token]:
    project = access.project_for(actor, slug, Scope.ADMIN)
    return project.tokens.order_by("-id")


def create(
    actor: Actor, slug: str, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[Token, str]:
    """The token and its secret, which nobody can read again."""
    project = access.project_for(actor, slug, Scope.ADMIN)
    return _make(actor, project, name, _checked_scopes(scopes), _checked_expiry(expires_at))


def create_for_server(
    actor: Actor, name: str, scopes: Sequence[str], expires_at: datetime | None = None
) -> tuple[Token, str]:
    """A token that reaches every project; made on the command line only, by whoever owns the machine."""
    access.require_server(actor)
    return _make(actor, None, name, _checked_scopes(scopes), _checked_expiry(expires_at))


def rotate(actor: Actor, slug: str, token_id: int, overlap: timedelta = OVERLAP) -> tuple[Token, str]:
    """A successor with the same rights for the same length of time; the old token goes on for a while, so that
    nothing has to stop."""
    project = access.project_for(actor, slug, Scope.ADMIN)
    with transaction.atomic():
        old = _live(project, token_id)
        now = timezone.now()
        if old.expires_at is not None and old.expires_at <= now:
            raise ConflictError(f"Token {token_id} has expired; make a new one in its place.")
        expires_at = now + (old.expires_at - old.created_at) if old.expires_at else None
        old.expires_at = min(old.expires_at or now + overlap, now + overlap)
        successor, secret = _make(actor, project, old.name, old.scopes, expires_at)
        old.save(update_fields=["expires_at"])
        audit.record(actor, "token.rotate", old, project=project, detail={"successor": successor.pk})
    return successor, secret


def revoke(actor: Actor, slug: str, token_id: int) -> None:
    project = access.project_for(actor, slug, Scope.ADMIN)
    with transaction.atomic():
        token = _live(project, token_id)
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        audit.record(actor, "token.revoke", token, project=project)


def authenticate(secret: str) -> Token | None:
    """The live token that this secret belongs to; its use is noted once a minute, not on every call."""
    if not token_format.is_wellformed(secret):
        return None
    now = timezone.now()
    token = (
        Token.objects.select_related("project")
        .filter(digest=token_format.digest(secret), revoked_at=None)
        .filter(Q(expires_at=None) | Q(expires_at__gt=now))
        .first()
    )
    if token is not None and (token.last_used_at is None or now - token.last_used_at > USE_IS_NOTED_EVERY):
        # a disk that is full or read-only is no reason to let nobody read
        with contextlib.suppress(OperationalError):
            Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def remove_ended(before: datetime) -> int:
    """Tokens that ended long ago; the audit log keeps their story."""
    ended, _ = Token.objects.filter(Q(revoked_at__lt=before) | Q(expires_at__lt=before)).delete()
    return ended


def _make(
    actor: Actor, project: Project | None, name: str, scopes: list[str], expires_at: datetime | None
) -> tuple[Token, str]:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidError.at("name", f"give 1 to {LONGEST_NAME} printable characters that say who uses the token")
    secret = token_format.generate()
    with transaction.atomic():
        token = Token.objects.create(
            project=project,
            name=name,
            digest=token_format.digest(secret),
            hint=secret[:8],
            scopes=scopes,
            created_by=actor.name,
            expires_at=expires_at,
        )
        audit.record(actor, "token.create", token, project=project, detail={"scopes": scopes})
    return token, secret


def _live(project: Project, token_id: int) -> Token:
    token = project.tokens.select_for_update().filter(pk=token_id, revoked_at=None).first()
    if token is None:
        raise NotFoundError(f"There is no live token {token_id} in {project.slug}.")
    return token


def _checked_scopes(scopes: Sequence[str]) -> list[str]:
    unknown = [scope for scope in scopes if scope not in list(Scope)]
    if unknown or not scopes:
        raise InvalidError.at("scopes", f"choose at least one of {', '.join(Scope)}")
    return [scope.value for scope in Scope if scope in scopes]


def _checked_expiry(expires_at: datetime | None) -> datetime | None:
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidError.at("expires_at", "lies in the past")
    if expires_at is not None and expires_at > timezone.now() + LONGEST_LIFE:
        raise InvalidError.at("expires_at", f"lies more than {LONGEST_LIFE.days} days ahead; leave it out for no end")
    return expires_at
