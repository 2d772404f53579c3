"""Records in the admin site: found, corrected, moved, removed and brought back, on whichever store, with a trace."""

import html
import json
import re
from typing import Any

import pytest
from django.test import Client

from jobs_app.admin import records
from jobs_app.domain.access import COMMAND, Role
from jobs_app.domain.job import Job
from jobs_app.domain.job_states import JobState
from jobs_app.domain.job_transitions import MOVES, Failure
from jobs_app.errors import LeaseLostError, NotFoundError, PermissionDeniedError
from jobs_app.models import AuditEntry, Project
from jobs_app.services import claims, events, job_fixes, jobs
from jobs_app.services.job_fixes import HIDDEN, JobFixes
from project.security_headers import CONTENT_SECURITY_POLICY
from storage_app.records.base import RecordStore
from tests.factories import claim_job, job_in, make_actor, make_job, make_person

pytestmark = pytest.mark.django_db
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def chief() -> Client:
    client = Client()
    client.force_login(make_person("chief", runs_the_server=True))
    return client


def address(job: Job) -> str:
    return f"/admin/records/jobs/alpha/{job.id}/"


def do(client: Client, job: Job, action: str, reason: str = "it was wrong", **fields: Any) -> int:
    data = {f"{action}-{name}": value for name, value in {"reason": reason, **fields}.items()}
    return client.post(address(job), {"action": action, **data}).status_code


def document(client: Client, job: Job) -> dict[str, Any]:
    """What stands in the form."""
    answer = client.get(address(job))
    assert answer.status_code == 200
    text = re.search(r'<textarea[^>]*name="correct-document"[^>]*>\n?(.*?)</textarea>', answer.content.decode(), re.S)
    assert text
    found: dict[str, Any] = json.loads(html.unescape(text[1]))
    return found


def correct(client: Client, job: Job, changes: dict[str, Any], **fields: Any) -> int:
    edited = {**document(client, job), **changes}
    return do(client, job, "correct", document=json.dumps(edited), **{"version": job.version, **fields})


def trace(action: str) -> dict[str, Any]:
    entry = AuditEntry.objects.get(action=f"admin.job.{action}")
    assert (entry.actor_name, entry.project_slug, entry.target_kind) == ("chief", "alpha", "job")
    detail: dict[str, Any] = entry.detail
    return detail


def test_records_stand_on_the_index_beside_the_tables(chief: Client) -> None:
    page = chief.get("/admin/").content.decode()
    assert "/admin/records/jobs/" in page
    assert "/admin/jobs_app/project/" in page


def test_only_those_who_run_the_server_get_in(project: Project) -> None:
    job, client = make_job(project), Client()
    client.force_login(make_person(roles={project: Role.ADMIN}))
    for path in ("/admin/records/jobs/", address(job), "/admin/records/jobs/quarantine/alpha.x/"):
        assert client.get(path)["Location"].startswith("/admin/login/")
    assert do(client, job, "remove") == 302
    assert jobs.get(COMMAND, "alpha", job.id).version == job.version
    with pytest.raises(PermissionDeniedError):
        JobFixes().move(make_actor(project, Role.OPERATOR), "alpha", job.id, "cancelled", 1, "why")


def test_jobs_are_found_by_word_part_and_project(chief: Client, project: Project, other_project: Project) -> None:
    failed, waiting = job_in(project, JobState.FAILED, name="broken"), make_job(project, name=HOSTILE)
    gone, foreign = make_job(project, name="thrown away"), make_job(other_project, name="foreign")
    jobs.delete(COMMAND, "alpha", gone.id)

    def found(query: str) -> set[str]:
        answer = chief.get(f"/admin/records/jobs/?project=alpha&{query}")
        assert (answer.status_code, answer["Content-Security-Policy"]) == (200, CONTENT_SECURITY_POLICY)
        page = answer.content.decode()
        assert HOSTILE not in page
        return {job.id for job in (failed, waiting, gone, foreign) if f"/{job.id}/" in page}

    assert found("") == {failed.id, waiting.id}
    assert found("q=broken") == {failed.id}
    assert found(f"q={waiting.id}") == {waiting.id}
    assert found("part=failed") == {failed.id}
    assert found("part=trashed") == {gone.id}
    assert chief.get("/admin/records/jobs/?project=nowhere").status_code == 404
    assert chief.get("/admin/records/nothing/").status_code == 404
    assert chief.get(f"/admin/records/jobs/beta/{failed.id}/").status_code == 404


def test_a_search_that_no_index_knows_is_bounded_and_says_so(
    chief: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_fixes, "SCAN_LIMIT", 1)
    sought, _ = make_job(project, task_options={"lang": "de"}), make_job(project)
    page = chief.get("/admin/records/jobs/?project=alpha&q=options.lang:de").content.decode()
    assert "a part was looked through" in page
    assert f"/{sought.id}/" not in page
    (further,) = re.findall(r'href="([^"]+)" rel="next"', page)
    assert f"/{sought.id}/" in chief.get(html.unescape(further)).content.decode()


def test_a_record_is_shown_whole_but_for_what_proves_a_lease(chief: Client, project: Project) -> None:
    make_job(project, task_options={"big": 2**70, "text": HOSTILE})
    job = claim_job(project).job
    shown = document(chief, job)
    assert shown["task_options"] == {"big": 2**70, "text": HOSTILE}
    assert shown["status"] == "processing"
    assert not shown.keys() & HIDDEN
    assert job.token_digest
    assert job.token_digest not in chief.get(address(job)).content.decode()


def test_a_correction_is_validated_and_leaves_before_and_after(
    chief: Client, project: Project, record_store: RecordStore
) -> None:
    job = make_job(project, name="befroe", priority=1, task_options={"a": 1})
    assert correct(chief, job, {"name": "before", "tags": ["mended"], "task_options": {"a": 1.0}}) == 302
    after = jobs.get(COMMAND, "alpha", job.id)
    assert (after.name, after.tags, repr(after.task_options["a"])) == ("before", ("mended",), "1.0")
    assert after.version == job.version + 1
    assert jobs.find(COMMAND, "alpha", jobs.JobFilter(tag="mended")).jobs
    told = trace("correct")
    assert told["before"] == {"name": "befroe", "tags": [], "task_options": {"a": 1}}
    assert told["after"]["name"] == "before"
    assert told["reason"] == "it was wrong"
    last = events.of(COMMAND, "alpha", job.id).lines[-1][1]
    assert (last.type, last.by.name, last.why) == ("corrected", "chief", "it was wrong")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"priority": 101}, "priority: must be from -100 to 100"),
        ({"priority": "high"}, "priority: &#x27;high&#x27; is no whole number"),
        ({"priority": None}, "priority: None is no whole number"),
        ({"name": "a\nb"}, "name: has control characters"),
        ({"tags": "x"}, "tags: &#x27;x&#x27; is no array"),
        ({"retry_count": -1}, "retry_count: must be 0 or more"),
        ({"timeout_at": "tomorrow"}, "timeout_at: "),
        ({"status": "completed"}, "status cannot be changed by hand"),
        ({"nonsense": 1}, "nonsense is no field"),
        ({}, "nothing is changed"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place_and_changes_nothing(
    chief: Client, project: Project, changes: dict[str, Any], sentence: str
) -> None:
    job = make_job(project)
    edited = json.dumps({**document(chief, job), **changes})
    data = {"action": "correct", "correct-document": edited, "correct-reason": "x", "correct-version": job.version}
    answer = chief.post(address(job), data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert jobs.get(COMMAND, "alpha", job.id) == job
    assert not AuditEntry.objects.filter(action__startswith="admin.job").exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"name": "x", "name": "y"}', "line 1, column"),
        ('{"priority": NaN}', "line 1, column"),
        ("[]", "Expected an object"),
        ('{"name": "x"', "line 1, column"),
    ],
)
def test_text_that_is_no_json_is_refused_with_its_position(
    chief: Client, project: Project, text: str, sentence: str
) -> None:
    job = make_job(project)
    data = {"action": "correct", "correct-document": text, "correct-reason": "x", "correct-version": job.version}
    answer = chief.post(address(job), data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_a_correction_of_what_was_changed_meanwhile_is_refused_and_kept(chief: Client, project: Project) -> None:
    job = make_job(project, name="first")
    edited = json.dumps({**document(chief, job), "name": "mine"})
    jobs.change(COMMAND, "alpha", job.id, {"name": "theirs"})
    data = {"action": "correct", "correct-document": edited, "correct-reason": "x", "correct-version": job.version}
    answer = chief.post(address(job), data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "changed meanwhile" in page
    assert "theirs" in page
    assert "mine" in page
    assert jobs.get(COMMAND, "alpha", job.id).name == "theirs"
    version = re.search(r'name="correct-version" value="(\d+)"', page)
    assert version
    data["correct-version"] = version[1]
    assert chief.post(address(job), data).status_code == 302
    assert jobs.get(COMMAND, "alpha", job.id).name == "mine"


def test_every_move_is_one_of_the_state_machine_and_no_other_is_possible(
    chief: Client, project: Project, record_store: RecordStore
) -> None:
    tried = 0
    for source in JobState:
        for target in JobState:
            job = job_in(project, source)
            status = do(chief, job, "move", target=target.value, version=job.version)
            after = jobs.get(COMMAND, "alpha", job.id)
            if (source, target) in MOVES:
                assert (status, after.status) == (302, target)
            else:
                assert status in (404, 422)
                assert (after.status, after.version) == (source, job.version)
            tried += 1
            if not after.status.is_final:  # nothing else may be due when the next one is made
                JobFixes().move(COMMAND, "alpha", job.id, "cancelled", after.version, "out of the way")
    assert tried == len(JobState) ** 2


def test_what_a_worker_says_of_a_job_that_was_moved_is_refused(chief: Client, project: Project) -> None:
    make_job(project)
    held = claim_job(project)
    assert do(chief, held.job, "move", target="completed", version=held.job.version) == 302
    with pytest.raises(LeaseLostError):
        claims.fail(COMMAND, "alpha", held.job.id, held.lease_token, Failure("late"))
    told = trace("move")
    assert (told["before"]["status"], told["after"]["status"]) == ("processing", "completed")
    attempt = events.attempts(COMMAND, "alpha", held.job.id).lines[-1][1]
    assert attempt.outcome == "completed"


def test_a_job_is_deleted_brought_back_and_removed_for_good(chief: Client, project: Project) -> None:
    job = make_job(project, name="doomed")
    assert do(chief, job, "remove", reason="") == 422, "nobody changes data without saying why"
    assert do(chief, job, "remove") == 302
    with pytest.raises(NotFoundError):
        jobs.get(COMMAND, "alpha", job.id)
    assert do(chief, job, "bring_back") == 302
    assert jobs.get(COMMAND, "alpha", job.id).name == "doomed"
    assert do(chief, job, "erase", sure="on") == 404, "only what lies in the trash can be removed for good"
    assert do(chief, job, "remove") == 302
    assert do(chief, job, "erase") == 422
    assert do(chief, job, "erase", sure="on") == 302
    assert chief.get(address(job)).status_code == 404
    assert trace("erase")["before"]["name"] == "doomed"
    assert trace("restore")["before"] == {"status": "trashed"} | {"trashed": trace("restore")["before"]["trashed"]}


def test_an_ingestion_id_that_is_taken_cannot_be_given_by_hand(chief: Client, project: Project) -> None:
    make_job(project, ingestion_task_id="task-1")
    job = make_job(project)
    assert correct(chief, job, {"ingestion_task_id": "task-1"}) == 422
    assert correct(chief, job, {"ingestion_task_id": "task-2"}) == 302


def test_a_record_in_quarantine_is_mended_and_restored(
    chief: Client, project: Project, record_store: RecordStore
) -> None:
    job = make_job(project, name="odd")
    record_store.quarantine("alpha", "jobs", job.id, "looks odd")
    listed = chief.get("/admin/records/jobs/?project=alpha").content.decode()
    place = re.search(r'href="(/admin/records/jobs/quarantine/[^"]+)"', listed)
    assert place
    page = chief.get(place[1]).content.decode()
    assert "looks odd" in page
    assert chief.post(place[1], {"action": "restore", "text": "{"}).status_code == 422
    text = record_store.quarantined("alpha")[0].text
    assert chief.post(place[1], {"action": "restore", "text": text.replace("odd", "even")}).status_code == 302
    assert jobs.get(COMMAND, "alpha", job.id).name == "even"
    entry = AuditEntry.objects.get(action="quarantine.restore")
    assert "odd" in entry.detail["before"]
    assert "even" in entry.detail["after"]
    assert chief.get(place[1]).status_code == 404


def test_a_kind_of_record_joins_by_its_name(chief: Client) -> None:
    assert [fixes.name for fixes in records.FIXABLE.values()] == list(records.FIXABLE)
    for name in records.FIXABLE:
        assert chief.get(f"/admin/records/{name}/").status_code == 200
