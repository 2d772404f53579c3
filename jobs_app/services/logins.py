"""Logging in and out: throttled without locking the owner out, listed by device, ended one by one."""

import contextlib
import time
from datetime import timedelta

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.core import signing
from django.db import OperationalError
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs_app.domain.access import Actor, ActorKind
from jobs_app.errors import InvalidError, NotFoundError, RateLimitedError, UnauthenticatedError
from jobs_app.models import PersonSession
from jobs_app.services import access, audit, throttle

# From one address any number of names may be guessed at, so the address has a window of its own. An account has one
# for all strange devices together; a device that logged in before has its own, so that nobody can lock the owner out.
BY_ADDRESS = throttle.Limit("login from", 30, timedelta(minutes=15))
BY_ACCOUNT = throttle.Limit("login as", 20, timedelta(minutes=15))
BY_DEVICE = throttle.Limit("login on", 10, timedelta(minutes=15))

ABSOLUTE_LIMIT = timedelta(days=30)
IDLE_LIMIT = timedelta(days=7)
USE_IS_NOTED_EVERY = timedelta(minutes=5)
KNOWN_DEVICE_FOR = timedelta(days=365)
DEVICE_SALT = "holdfast.device"
LONGEST_NAME = 254
STRANGER = "an unknown name"


def log_in(request: HttpRequest, username: str, password: str, address: str, device: str) -> User:
    """The person, with a new session; a wrong name and a wrong password look and take the same."""
    request_id = request.META.get("request_id", "")
    attempt = Actor(ActorKind.PERSON, "", _known_name(username), address=address, request_id=request_id)
    limit, subject = _window(username, device)
    try:
        throttle.count(BY_ADDRESS, address)
        throttle.count(limit, subject)
    except RateLimitedError:
        audit.record(attempt, "login", outcome="throttled")
        raise
    user = authenticate(request, username=username, password=password) if _plausible(username) else None
    if not isinstance(user, User):
        audit.record(attempt, "login", outcome="refused")
        raise UnauthenticatedError("Name or password is wrong.")
    login(request, user)
    request.session["address"] = address
    request.session["agent"] = request.headers.get("User-Agent", "")[:300]
    request.session["logged_in_at"] = time.time()
    request.session.set_expiry(int(IDLE_LIMIT.total_seconds()))
    throttle.forgive(limit, subject)
    audit.record(access.actor_for_person(user, address, request_id), "login", user)
    return user


def confirm_password(user: User, password: str) -> None:
    """Before something that a borrowed session must not do; counted like a login, since it could be guessing."""
    throttle.count(BY_ACCOUNT, user.get_username().casefold())
    if not user.check_password(password):
        raise InvalidError.at("old_password", "that is not your current password")


def log_out(request: HttpRequest, actor: Actor) -> None:
    audit.record(actor, "logout")
    logout(request)


def device_mark(username: str) -> str:
    """What a device keeps to be known again at the next login; worthless without the password."""
    return signing.dumps(username, salt=DEVICE_SALT)


def enforce_limits(request: HttpRequest) -> None:
    """Ends a session that is too old, and notes the use of a live one every few minutes."""
    logged_in_at = request.session.get("logged_in_at")
    if logged_in_at is None:
        return
    now = time.time()
    if now - logged_in_at > ABSOLUTE_LIMIT.total_seconds():
        logout(request)
    elif now - request.session.get("used_at", 0) > USE_IS_NOTED_EVERY.total_seconds():
        request.session["used_at"] = now
        # a disk that is full or read-only is no reason to let nobody read
        with contextlib.suppress(OperationalError):
            request.session.save()
        request.session.modified = False


def sessions_of(user: User) -> QuerySet[PersonSession]:
    return PersonSession.objects.filter(user=user).order_by("-seen_at")


def end_session(actor: Actor, user: User, session_key_start: str) -> None:
    """Signs one device out; sessions are named by the start of a digest, never by their key."""
    for session in sessions_of(user):
        if session.name == session_key_start:
            session.delete()
            audit.record(actor, "session.end", detail={"address": session.address})
            return
    raise NotFoundError("That session has ended already.")


def end_other_sessions(actor: Actor, user: User, current_key: str | None) -> int:
    ended, _ = sessions_of(user).exclude(session_key=current_key or "").delete()
    audit.record(actor, "session.end_others", detail={"ended": ended})
    return ended


def _window(username: str, device: str) -> tuple[throttle.Limit, str]:
    try:
        known = signing.loads(device, salt=DEVICE_SALT, max_age=KNOWN_DEVICE_FOR) == username
    except signing.BadSignature:
        known = False
    return (BY_DEVICE, device) if known else (BY_ACCOUNT, username.casefold())


def _known_name(username: str) -> str:
    """What was typed is kept only where it is somebody's name: else it may well be a password in the wrong field."""
    return username if _plausible(username) and User.objects.filter(username=username).exists() else STRANGER


def _plausible(username: str) -> bool:
    return 0 < len(username) <= LONGEST_NAME and "\0" not in username
