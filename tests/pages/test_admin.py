"""The admin site: for those who run the server, by the product's own login, with everything in the audit log."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from jobs_app.domain.access import Role
from jobs_app.models import AuditEntry, Membership, Project, Token
from project.security_headers import CONTENT_SECURITY_POLICY
from tests.factories import PASSWORD, make_person, make_token

pytestmark = pytest.mark.django_db
PLACES = "project membership token auditentry taskrun personsession taskschedule consumerbeat changecounter".split()


@pytest.fixture
def chief() -> Client:
    client = Client()
    client.force_login(make_person("chief", runs_the_server=True))
    return client


@pytest.mark.parametrize("place", [*(f"jobs_app/{name}" for name in PLACES), "auth/user"])
def test_each_table_can_be_listed_and_searched(chief: Client, project: Project, place: str) -> None:
    make_token(project)
    answer = chief.get(f"/admin/{place}/?q=a")
    assert answer.status_code == 200
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert b"<script>" not in answer.content


def test_staff_who_do_not_run_the_server_do_not_get_in() -> None:
    staff = User.objects.create_user("staff", password=PASSWORD, is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(staff)
    assert client.get("/admin/auth/user/").status_code == 302
    assert client.post(f"/admin/auth/user/{staff.pk}/change/", {"is_superuser": "on"}).status_code == 302
    staff.refresh_from_db()
    assert not staff.is_superuser


def test_there_is_one_login_one_logout_and_one_way_to_a_password(chief: Client) -> None:
    assert Client().get("/admin/jobs_app/project/", follow=True).redirect_chain[-1][0] == (
        "/login/?next=/admin/jobs_app/project/"
    )
    assert chief.get("/admin/password_change/")["Location"] == "/account/password/"
    assert chief.post("/admin/logout/").status_code == 302
    assert AuditEntry.objects.get(action="logout").actor_name == "chief"
    assert chief.get("/account/").status_code == 302


def test_a_change_is_in_the_audit_log_with_before_and_after(chief: Client, project: Project) -> None:
    membership = Membership.objects.create(project=project, user=make_person("eve"), role=Role.VIEWER)
    form = {"project": project.pk, "user": membership.user_id, "role": "admin"}
    assert chief.post(f"/admin/jobs_app/membership/{membership.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get(action="admin.change")
    assert (entry.actor_name, entry.project_slug) == ("chief", "alpha")
    assert entry.detail == {"before": {"role": "viewer"}, "after": {"role": "admin"}}


@pytest.mark.parametrize("way", ["delete", "action"])
def test_a_deletion_is_in_the_audit_log_with_what_was_there(chief: Client, project: Project, way: str) -> None:
    membership = Membership.objects.create(project=project, user=make_person("eve"), role=Role.VIEWER)
    if way == "delete":
        chief.post(f"/admin/jobs_app/membership/{membership.pk}/delete/", {"post": "yes"})
    else:
        form = {"action": "delete_selected", "_selected_action": membership.pk, "post": "yes"}
        chief.post("/admin/jobs_app/membership/", form)
    assert not Membership.objects.exists()
    assert AuditEntry.objects.get(action="admin.delete").detail["before"]["role"] == "viewer"


def test_somebodys_new_password_is_in_the_audit_log_and_nowhere_in_it(chief: Client) -> None:
    eve = make_person("eve")
    new = "canary of a password"
    form = {"password1": new, "password2": new, "usable_password": "true"}
    assert chief.post(f"/admin/auth/user/{eve.pk}/password/", form).status_code == 302
    eve.refresh_from_db()
    assert eve.check_password(new)
    assert AuditEntry.objects.filter(action="person.password", target_name="eve").exists()
    assert new not in str(list(AuditEntry.objects.values()))


def test_no_page_shows_a_digest_a_session_key_or_a_password(chief: Client, project: Project) -> None:
    make_token(project)
    token, session = Token.objects.get(), chief.session.session_key
    eve = make_person("eve")
    for path in (
        "jobs_app/token/",
        f"jobs_app/token/{token.pk}/change/",
        "jobs_app/personsession/",
        "auth/user/",
        f"auth/user/{eve.pk}/change/",
    ):
        page = chief.get(f"/admin/{path}")
        assert page.status_code == 200
        for secret in (token.digest, session, eve.password):
            assert str(secret) not in page.content.decode()


def test_the_audit_log_is_only_to_be_read(chief: Client, project: Project) -> None:
    make_token(project)
    entry = AuditEntry.objects.get()
    assert chief.get(f"/admin/jobs_app/auditentry/{entry.pk}/change/").status_code == 200
    assert chief.post(f"/admin/jobs_app/auditentry/{entry.pk}/change/", {"actor_name": "x"}).status_code == 403
    assert chief.post(f"/admin/jobs_app/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert chief.get("/admin/jobs_app/auditentry/add/").status_code == 403
