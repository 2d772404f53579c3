"""People: the first login, invitations, passwords, and the roles they are given."""

import secrets
from collections.abc import Sequence

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.encoding import force_bytes, force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from jobs_app.domain.access import SYSTEM, Actor
from jobs_app.errors import AlreadyExistsError, InvalidError, NotFoundError
from jobs_app.models import Membership, MustChangePassword, PersonSession
from jobs_app.services import access, audit

FIRST_NAME = "admin"


def first_login() -> tuple[str, str] | None:
    """Name and one-time password of somebody to run the server, made where nobody does; it is changed at login."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    try:
        with transaction.atomic():
            user = User.objects.create_superuser(FIRST_NAME, password=password)
            MustChangePassword.objects.create(user=user)
            audit.record(SYSTEM, "person.create", user, detail={"first": True})
    except IntegrityError:
        return None  # another process starting at the same moment was first, and shows its password
    return FIRST_NAME, password


def create(
    actor: Actor, username: str, password: str, *, runs_the_server: bool = False, one_time: bool = False
) -> User:
    """A person with a password; a one-time password must be changed at the first login."""
    access.require_server(actor)
    user = User(username=username, is_staff=runs_the_server, is_superuser=runs_the_server)
    _set_password(user, password)
    with transaction.atomic():
        _added(actor, user)
        if one_time:
            MustChangePassword.objects.create(user=user)
    return user


def invite(actor: Actor, username: str) -> tuple[User, str]:
    """A person who has no password yet, and the path of the page where they choose one; it works once."""
    access.require_server(actor)
    user = User.objects.filter(username=username).first()
    if user is not None and user.has_usable_password():
        raise AlreadyExistsError(f"{username} has a login already.")
    if user is None:
        user = User(username=username)
        user.set_unusable_password()
        _added(actor, user)
    return (
        user,
        f"/invitation/{urlsafe_base64_encode(force_bytes(user.pk))}/{default_token_generator.make_token(user)}/",
    )


def invited(uid: str, token: str) -> User:
    """The person whom this invitation was made for, while it is good."""
    try:
        key = int(force_str(urlsafe_base64_decode(uid)))
    except (ValueError, UnicodeDecodeError, OverflowError):
        key = 0
    user = User.objects.filter(pk=key, is_active=True).first()
    if user is None or user.has_usable_password() or not default_token_generator.check_token(user, token):
        raise NotFoundError("This invitation was used, has expired or was never made. Ask for a new one.")
    return user


def change_password(actor: Actor, user: User, password: str) -> None:
    """Ends every other session of the person, since each carries a digest of the password it began with."""
    _set_password(user, password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        MustChangePassword.objects.filter(user=user).delete()
        audit.record(actor, "person.password", user)


def must_change_password(user: User) -> bool:
    return MustChangePassword.objects.filter(user=user).exists()


def disable(actor: Actor, username: str) -> None:
    """Ends all sessions at once; nothing that speaks of the person is lost."""
    access.require_server(actor)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=username).first()
        if user is None:
            raise NotFoundError(f"There is nobody called {username!r}.")
        user.is_active = False
        user.save(update_fields=["is_active"])
        PersonSession.objects.filter(user=user).delete()
        audit.record(actor, "person.disable", user)


def everyone(actor: Actor) -> Sequence[User]:
    access.require_server(actor)
    return list(User.objects.order_by("username").prefetch_related("memberships__project"))


def memberships_of(user: User) -> QuerySet[Membership]:
    return Membership.objects.filter(user=user).select_related("project").order_by("project__slug")


def _added(actor: Actor, user: User) -> User:
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        if User.objects.filter(username=user.username).exists():
            raise AlreadyExistsError(f"There is somebody called {user.username!r} already.") from None
        raise InvalidError.at("username", " ".join(error.messages)) from None
    with transaction.atomic():
        user.save()
        audit.record(actor, "person.create", user, detail={"runs_the_server": user.is_superuser})
    return user


def _set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError.at("password", " ".join(error.messages)) from None
    user.set_password(password)
