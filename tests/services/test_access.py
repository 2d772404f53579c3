"""Members, tokens and invitations: what the services refuse whoever asks."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from jobs_app.domain import token as token_format
from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.errors import AlreadyExistsError, ConflictError, InvalidError, NotFoundError
from jobs_app.models import AuditEntry, Membership, Project, Token
from jobs_app.services import access, audit, idempotency, members, people, tokens
from jobs_app.services.idempotency import Answer
from tests.api.client import Api
from tests.conftest import Clock
from tests.factories import make_person, make_token

pytestmark = pytest.mark.django_db


def test_a_project_keeps_its_last_admin(project: Project) -> None:
    make_person("anna", roles={project: Role.ADMIN})
    with pytest.raises(ConflictError, match="last admin"):
        members.set_role(COMMAND, "alpha", "anna", "viewer")
    with pytest.raises(ConflictError, match="last admin"):
        members.remove(COMMAND, "alpha", "anna")
    make_person("ben", roles={project: Role.ADMIN})
    members.remove(COMMAND, "alpha", "anna")
    assert not Membership.objects.filter(user__username="anna").exists()


def test_a_new_role_holds_at_once(project: Project) -> None:
    client = Client()
    client.force_login(make_person("eve", roles={project: Role.VIEWER}))
    assert client.get("/p/alpha/settings/tokens/").status_code == 403
    members.set_role(COMMAND, "alpha", "eve", "admin")
    assert client.get("/p/alpha/settings/tokens/").status_code == 200


def test_a_token_is_kept_as_a_digest_alone(project: Project) -> None:
    secret = make_token(project)
    row = Token.objects.values().get()
    assert secret not in str(row)
    assert row["digest"] == token_format.digest(secret)
    assert not any(secret in str(entry) for entry in AuditEntry.objects.values())


def test_a_revoked_token_ends_at_once(project: Project) -> None:
    secret = make_token(project)
    assert Api(secret).get("/me").status_code == 200
    tokens.revoke(COMMAND, "alpha", Token.objects.get().pk)
    assert Api(secret).get("/me").status_code == 401
    with pytest.raises(NotFoundError):
        tokens.revoke(COMMAND, "alpha", Token.objects.get().pk)


def test_a_token_ends_when_its_time_is_over(project: Project, clock: Clock) -> None:
    _, secret = tokens.create(COMMAND, "alpha", "short", ["read"], timezone.now() + timedelta(hours=1))
    assert Api(secret).get("/me").status_code == 200
    clock.advance(hours=1)
    assert Api(secret).get("/me").status_code == 401


def test_a_rotated_token_goes_on_for_the_overlap(project: Project, clock: Clock) -> None:
    old = make_token(project, Scope.WORK)
    _, new = tokens.rotate(COMMAND, "alpha", Token.objects.get().pk, timedelta(hours=2))
    assert Api(old).get("/me").json()["projects"] == Api(new).get("/me").json()["projects"]
    clock.advance(hours=3)
    assert Api(old).get("/me").status_code == 401
    assert Api(new).get("/me").status_code == 200


def test_a_rotated_token_has_the_same_length_of_life_and_an_expired_one_has_none(
    project: Project, clock: Clock
) -> None:
    old, _ = tokens.create(COMMAND, "alpha", "short", ["read"], timezone.now() + timedelta(days=10))
    clock.advance(days=4)
    successor, _ = tokens.rotate(COMMAND, "alpha", old.pk, timedelta(hours=1))
    assert successor.expires_at == clock.now + timedelta(days=10)
    clock.advance(hours=2)
    with pytest.raises(ConflictError, match="expired"):
        tokens.rotate(COMMAND, "alpha", old.pk)


def test_the_use_of_a_token_is_noted_once_a_minute(project: Project, clock: Clock) -> None:
    api = Api(make_token(project))
    api.get("/me")
    first = Token.objects.get().last_used_at
    clock.advance(seconds=30)
    api.get("/me")
    assert Token.objects.get().last_used_at == first
    clock.advance(seconds=31)
    api.get("/me")
    assert Token.objects.get().last_used_at == clock.now


@pytest.mark.parametrize(
    "secret", ["", "hf_", "hf_" + "a" * 44, "Bearer", "hf_" + "é" * 44, "ghp_" + "a" * 40, "hf_" + "a" * 10_000]
)
def test_what_is_no_token_of_ours_is_refused_without_a_query(
    secret: str, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert tokens.authenticate(secret) is None


def test_one_wrong_character_is_noticed_by_the_checksum() -> None:
    secret = token_format.generate()
    assert token_format.is_wellformed(secret)
    wrong = secret[:10] + ("a" if secret[10] != "a" else "b") + secret[11:]
    assert not token_format.is_wellformed(wrong)


def test_no_two_tokens_are_alike() -> None:
    assert len({token_format.generate() for _ in range(1000)}) == 1000


def test_an_invitation_works_once() -> None:
    _, path = people.invite(COMMAND, "newcomer")
    client, password = Client(), "a long enough password"
    assert client.get(path).status_code == 200
    assert client.post(path, {"password": password, "again": password}).status_code == 302
    assert client.get(path).status_code == 404
    assert client.post("/login/", {"username": "newcomer", "password": password}).status_code == 302
    with pytest.raises(AlreadyExistsError):
        people.invite(COMMAND, "newcomer")


def test_an_invitation_for_a_name_with_a_sign_in_it_leads_to_that_name() -> None:
    _, path = people.invite(COMMAND, "new+comer@example.org")
    client, password = Client(), "a long enough password"
    login_page = client.post(path, {"password": password, "again": password}, follow=True)
    assert 'value="new+comer@example.org"' in login_page.content.decode()


def test_an_invitation_can_be_made_anew_before_it_was_used() -> None:
    people.invite(COMMAND, "newcomer")
    _, second = people.invite(COMMAND, "newcomer")
    assert Client().get(second).status_code == 200
    assert User.objects.filter(username="newcomer").count() == 1


@pytest.mark.parametrize("uid", ["", "x", "MQ", "LTE", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "é"])
def test_an_invitation_that_was_never_made_is_not_found(uid: str) -> None:
    assert Client().get(f"/invitation/{uid}/c0ffee-abc/").status_code == 404


def test_whoever_is_disabled_is_out_at_once(project: Project) -> None:
    client = Client()
    client.force_login(make_person("eve", roles={project: Role.ADMIN}))
    assert client.get("/p/alpha/").status_code == 200
    people.disable(COMMAND, "eve")
    assert client.get("/p/alpha/").status_code == 302
    assert Client().post("/login/", {"username": "eve", "password": "x"}).status_code == 422


def test_the_first_login_is_made_once() -> None:
    first = people.first_login()
    assert first is not None
    assert people.first_login() is None
    client = Client()
    assert client.post("/login/", {"username": first[0], "password": first[1]})["Location"] == "/account/password/"


@pytest.mark.parametrize("name", ["", "a b", "x" * 200, "<img>"])
def test_a_name_that_will_not_do_is_refused(name: str) -> None:
    with pytest.raises(InvalidError):
        people.create(COMMAND, name, "a long enough password")


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_acts_once() -> None:
    barrier, calls, answers = threading.Barrier(6), [], []
    actor = access.actor_for_person(make_person("anna"))

    def perform() -> Answer:
        calls.append(1)
        return Answer(201, b"made")

    def ask() -> None:
        barrier.wait()
        try:
            answers.append(idempotency.once(actor, "key", b"request", perform))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert [answer.body for answer in answers] == [b"made"] * 6


def test_the_keys_of_two_callers_are_two_keys() -> None:
    anna, ben = (access.actor_for_person(make_person(name)) for name in ("anna", "ben"))
    assert idempotency.once(anna, "key", b"request", lambda: Answer(201, b"anna's")).body == b"anna's"
    assert idempotency.once(ben, "key", b"request", lambda: Answer(201, b"ben's")).body == b"ben's"


def test_a_kept_answer_outlives_the_rotation_of_the_servers_key_and_is_never_noise(settings: Settings) -> None:
    anna = access.actor_for_person(make_person("anna"))
    earlier = settings.SECRET_KEY

    def ask() -> Answer:
        return idempotency.once(anna, "key", b"request", lambda: Answer(201, b"made"))

    ask()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 10, [earlier]
    assert (ask().body, ask().replayed) == (b"made", True)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ConflictError, match="secret key was changed"):
        ask()


def test_a_key_is_free_again_after_a_day(clock: Clock) -> None:
    anna = access.actor_for_person(make_person("anna"))
    idempotency.once(anna, "key", b"request", lambda: Answer(201, b"first"))
    clock.advance(hours=25)
    assert idempotency.once(anna, "key", b"another", lambda: Answer(201, b"second")).body == b"second"


def test_a_refusal_of_somebody_known_is_in_the_audit_log_and_cannot_fill_it(project: Project, clock: Clock) -> None:
    api = Api(make_token(project, Scope.READ))
    client = Client()
    client.force_login(make_person("eve", roles={project: Role.VIEWER}))
    assert api.call("PATCH", "/projects/alpha", {"name": "x"}).status_code == 403
    assert client.get("/p/alpha/settings/tokens/").status_code == 403
    refusals = AuditEntry.objects.filter(action="access", outcome="refused", project_slug="alpha")
    assert set(refusals.values_list("actor_name", "target_name")) == {
        ("a program", "PATCH /api/v1/projects/alpha"),
        ("eve", "GET /p/alpha/settings/tokens/"),
    }
    assert all(refusals.values_list("request_id", flat=True))
    for _ in range(audit.REFUSALS.count * 2):
        api.call("PATCH", "/projects/alpha", {"name": "x"})
    assert refusals.count() == audit.REFUSALS.count + 1
