"""Quarantine: what could not be read is seen, mended and restored, or let go, and the audit log says who did it."""

import pytest
from django.test import Client

from jobs_app.domain.access import COMMAND, Role, Scope
from jobs_app.errors import NotFoundError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import quarantine
from storage_app.records.base import RecordStore
from storage_app.records.errors import InvalidError
from tests.api.client import Api
from tests.factories import make_actor, make_person, make_token

pytestmark = pytest.mark.django_db
NOTES = "free.notes"


@pytest.fixture
def set_aside(project: Project, memory_store: RecordStore) -> quarantine.SetAside:
    note = memory_store.insert(project.slug, NOTES, {"text": "odd"})
    memory_store.quarantine(project.slug, NOTES, note.id, "it makes no sense")
    (found,) = quarantine.of(COMMAND, project.slug)
    return found


def test_a_record_is_restored_as_it_was(set_aside: quarantine.SetAside, memory_store: RecordStore) -> None:
    quarantine.restore(COMMAND, set_aside.id)
    assert memory_store.get("alpha", NOTES, 1).document == {"text": "odd"}
    assert AuditEntry.objects.filter(action="quarantine.restore", project_slug="alpha").count() == 1


def test_a_record_is_restored_mended(set_aside: quarantine.SetAside, memory_store: RecordStore) -> None:
    quarantine.restore(COMMAND, set_aside.id, '{"text": "even"}')
    assert memory_store.get("alpha", NOTES, 1).document == {"text": "even"}


def test_what_still_cannot_be_read_stays(set_aside: quarantine.SetAside) -> None:
    with pytest.raises(InvalidError):
        quarantine.restore(COMMAND, set_aside.id, '{"text": NaN}')
    assert quarantine.of(COMMAND, "alpha") == [set_aside]
    assert not AuditEntry.objects.filter(action="quarantine.restore").exists()


def test_what_is_discarded_is_gone(set_aside: quarantine.SetAside) -> None:
    quarantine.discard(COMMAND, set_aside.id)
    assert quarantine.of(COMMAND, "alpha") == []
    with pytest.raises(NotFoundError):
        quarantine.discard(COMMAND, set_aside.id)


def test_a_program_sees_and_settles_only_its_own(set_aside: quarantine.SetAside, other_project: Project) -> None:
    mine, foreign = Api(make_token(Project.objects.get(slug="alpha"))), Api(make_token(other_project))
    assert [item["id"] for item in mine.get("/quarantine").json()["items"]] == [set_aside.id]
    assert foreign.get("/quarantine").json()["items"] == []
    assert foreign.post(f"/quarantine/{set_aside.id}/restore", {}).status_code == 404
    refused = mine.post(f"/quarantine/{set_aside.id}/restore", {"text": "[]"})
    assert refused.status_code == 422
    assert mine.post(f"/quarantine/{set_aside.id}/restore", {}).status_code == 204
    assert mine.get("/quarantine").json()["items"] == []


@pytest.mark.parametrize("name", ["", ".", "alpha", "alpha.", "alpha.x", "beta.1", "a.b.c", "%2e%2e"])
def test_an_id_that_is_none_is_not_found(set_aside: quarantine.SetAside, name: str) -> None:
    api = Api(make_token(Project.objects.get(slug="alpha")))
    assert api.call("DELETE", f"/quarantine/{name}").status_code in (404, 405)


def test_admins_are_told_on_every_page_of_the_project(set_aside: quarantine.SetAside, project: Project) -> None:
    client = Client()
    client.force_login(make_person(roles={project: Role.ADMIN}))
    page = client.get("/p/alpha/settings/").content.decode()
    assert "1 record was set aside" in page
    shown = client.get("/p/alpha/storages/quarantine/").content.decode()
    assert "it makes no sense" in shown
    done = client.post(f"/p/alpha/storages/quarantine/{set_aside.name}/restore/", {"text": '{"text": "mended"}'})
    assert done.status_code == 302
    assert "set aside" not in client.get("/p/alpha/settings/").content.decode()


def test_a_stale_page_is_answered_calmly(set_aside: quarantine.SetAside, project: Project) -> None:
    client = Client()
    client.force_login(make_person(roles={project: Role.ADMIN}))
    quarantine.discard(COMMAND, set_aside.id)
    answer = client.post(f"/p/alpha/storages/quarantine/{set_aside.name}/discard/", follow=True)
    assert "is not in quarantine any more" in answer.content.decode()


def test_sizes_are_for_members(set_aside: quarantine.SetAside, project: Project) -> None:
    from jobs_app.services import records_overview

    assert Scope.READ in make_actor(project, Role.VIEWER).scopes_in(project.pk)
    (size,) = records_overview.collections(make_actor(project, Role.VIEWER), "alpha")
    assert (size.name, size.records) == (NOTES, 0)
