"""Logging in: throttled for strangers, never for the owner's own device; sessions listed, ended and aged."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs_app.models import AuditEntry, PersonSession
from jobs_app.services import logins
from tests.conftest import Clock
from tests.factories import PASSWORD, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> User:
    return make_person("anna")


def log_in(client: Client, username: str, password: str) -> int:
    return client.post("/login/", {"username": username, "password": password}).status_code


def test_a_person_logs_in_and_it_is_in_the_audit_log(anna: User) -> None:
    assert log_in(Client(), "anna", PASSWORD) == 302
    assert AuditEntry.objects.filter(action="login", outcome="done", actor_name="anna").count() == 1


def test_a_wrong_name_and_a_wrong_password_look_the_same(anna: User) -> None:
    wrong = Client().post("/login/", {"username": "anna", "password": "x"})
    unknown = Client().post("/login/", {"username": "nobody", "password": "x"})
    assert wrong.status_code == unknown.status_code == 422
    assert "Name or password is wrong." in wrong.content.decode()
    assert "Name or password is wrong." in unknown.content.decode()


def test_a_password_typed_into_the_field_of_the_name_is_kept_nowhere(anna: User) -> None:
    log_in(Client(), "my secret password", "anna")
    log_in(Client(), "anna", "wrong")
    names = AuditEntry.objects.filter(action="login", outcome="refused").values_list("actor_name", flat=True)
    assert list(names) == ["anna", logins.STRANGER]


def test_the_session_key_is_new_after_login(anna: User) -> None:
    client = Client()
    client.get("/login/")
    client.session.save()
    before = client.session.session_key
    log_in(client, "anna", PASSWORD)
    assert client.session.session_key != before


def test_guessing_at_one_account_is_stopped_from_whichever_address(anna: User, clock: Clock) -> None:
    for number in range(logins.BY_ACCOUNT.count):
        client = Client(REMOTE_ADDR=f"10.0.0.{number}")
        assert log_in(client, "anna", "guess") == 422
    stopped = Client(REMOTE_ADDR="10.0.1.1").post("/login/", {"username": "ANNA", "password": PASSWORD})
    assert stopped.status_code == 429
    assert int(stopped["Retry-After"]) > 0


def test_the_owner_gets_in_on_a_known_device_while_others_guess(anna: User, clock: Clock) -> None:
    own = Client()
    assert log_in(own, "anna", PASSWORD) == 302
    own.post("/logout/")
    for number in range(logins.BY_ACCOUNT.count + 1):
        log_in(Client(REMOTE_ADDR=f"10.0.0.{number}"), "anna", "guess")
    assert log_in(Client(REMOTE_ADDR="10.0.1.1"), "anna", PASSWORD) == 429
    assert log_in(own, "anna", PASSWORD) == 302


def test_guessing_at_many_accounts_from_one_address_is_stopped(clock: Clock) -> None:
    for number in range(logins.BY_ADDRESS.count):
        assert log_in(Client(), f"name{number}", "guess") == 422
    assert log_in(Client(), "another", "guess") == 429


def test_the_window_ends_by_itself(anna: User, clock: Clock) -> None:
    for _ in range(logins.BY_ACCOUNT.count):
        log_in(Client(), "anna", "guess")
    assert log_in(Client(), "anna", PASSWORD) == 429
    clock.advance(minutes=16)
    assert log_in(Client(), "anna", PASSWORD) == 302


def test_a_session_ends_after_its_absolute_limit_however_much_it_was_used(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    log_in(client, "anna", PASSWORD)
    assert client.get("/account/").status_code == 200
    later = timezone.now().timestamp() + logins.ABSOLUTE_LIMIT.total_seconds() + 1
    monkeypatch.setattr("jobs_app.services.logins.time.time", lambda: later)
    assert client.get("/account/").status_code == 302


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(anna: User) -> None:
    here, there = Client(), Client()
    log_in(here, "anna", PASSWORD)
    log_in(there, "anna", PASSWORD)
    new = "another long password"
    changed = here.post("/account/password/", {"old_password": PASSWORD, "password": new, "again": new})
    assert changed.status_code == 302
    assert here.get("/account/").status_code == 200
    assert there.get("/account/").status_code == 302


@pytest.mark.parametrize(
    ("old", "new", "again", "sentence"),
    [
        ("wrong", "another long password", "another long password", "That is not your current password."),
        (PASSWORD, "short", "short", "too short"),
        (PASSWORD, "password123", "password123", "too common"),
        (PASSWORD, "another long password", "another lang password", "This is not the same."),
    ],
)
def test_a_password_that_will_not_do_is_refused_with_the_reason(
    anna: User, old: str, new: str, again: str, sentence: str
) -> None:
    client = Client()
    log_in(client, "anna", PASSWORD)
    refused = client.post("/account/password/", {"old_password": old, "password": new, "again": again})
    assert refused.status_code == 422
    assert sentence in refused.content.decode()


def test_one_session_is_signed_out_from_another(anna: User) -> None:
    here, there = Client(), Client()
    log_in(here, "anna", PASSWORD)
    log_in(there, "anna", PASSWORD)
    other = PersonSession.objects.get(session_key=there.session.session_key)
    assert other.session_key not in here.get("/account/sessions/").content.decode()
    here.post(f"/account/sessions/{other.name}/end/")
    assert there.get("/account/").status_code == 302
    assert here.get("/account/").status_code == 200


def test_ending_the_session_at_hand_is_a_logout(anna: User) -> None:
    client = Client()
    log_in(client, "anna", PASSWORD)
    ended = client.post(f"/account/sessions/{PersonSession.objects.get().name}/end/")
    assert ended["Location"] == "/login/"
    assert not PersonSession.objects.exists()


@pytest.mark.parametrize("cookie", ['"\\000abcdefgh"', "../../etc/passwd", "x" * 5000, "'; DROP TABLE", "ABCDEFGHIJ"])
def test_a_session_cookie_that_was_never_ours_is_no_session(cookie: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert Client(headers={"Cookie": f"sessionid={cookie}"}).get("/account/").status_code == 302


def test_the_absolute_limit_holds_for_the_api_too(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    log_in(client, "anna", PASSWORD)
    assert client.get("/api/v1/me").status_code == 200
    later = timezone.now().timestamp() + logins.ABSOLUTE_LIMIT.total_seconds() + 1
    monkeypatch.setattr("jobs_app.services.logins.time.time", lambda: later)
    assert client.get("/api/v1/me").status_code == 401


def test_a_clock_that_was_set_back_locks_nobody_out(anna: User, clock: Clock) -> None:
    clock.advance(days=400)
    for _ in range(logins.BY_ACCOUNT.count + 1):
        log_in(Client(), "anna", "guess")
    assert log_in(Client(), "anna", PASSWORD) == 429
    clock.advance(days=-400)
    assert log_in(Client(), "anna", PASSWORD) == 302


def test_nobody_ends_a_session_of_somebody_else(anna: User) -> None:
    anna_client, eve = Client(), Client()
    log_in(anna_client, "anna", PASSWORD)
    make_person("eve")
    log_in(eve, "eve", PASSWORD)
    session = PersonSession.objects.get(session_key=anna_client.session.session_key)
    eve.post(f"/account/sessions/{session.name}/end/")
    assert anna_client.get("/account/").status_code == 200


def test_a_login_leads_only_to_our_own_pages(anna: User) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        response = Client().post("/login/", {"username": "anna", "password": PASSWORD, "next": target})
        assert response["Location"] == "/"


def test_whoever_has_a_one_time_password_is_led_to_a_new_one(anna: User) -> None:
    from jobs_app.models import MustChangePassword

    MustChangePassword.objects.create(user=anna)
    client = Client()
    assert client.post("/login/", {"username": "anna", "password": PASSWORD})["Location"] == "/account/password/"
    assert client.get("/projects/")["Location"] == "/account/password/"
    assert client.get("/api/v1/me").status_code == 401
    new = "another long password"
    assert client.post("/account/password/", {"password": new, "again": new}).status_code == 302
    assert client.get("/projects/").status_code == 200
    assert client.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("name", ["", "a\0b", "a" * 300, "😀", "' OR 1=1 --"])
def test_any_name_is_answered_calmly(name: str) -> None:
    assert log_in(Client(), name, "x") == 422
