"""The product's own pages with the product's own views: a newcomer's way through them, and what axe finds on each."""

import re

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from jobs_app.domain.access import COMMAND, Role
from jobs_app.models import ConsumerBeat, Membership, MustChangePassword, Project, TaskRun
from jobs_app.services import consumers, maintenance, people, tokens
from storage_app.records.base import RecordStore
from tests.browser.conftest import Visitor, eventually
from tests.browser.inspection import MEASURED, inspect
from tests.factories import PASSWORD, make_person

HOSTILE = "<img src=x onerror=alert(1)>"
PAGES = (
    "/projects/ /projects/new/ /p/alpha/ /p/alpha/settings/ /p/alpha/settings/members/ /p/alpha/settings/tokens/ "
    "/p/alpha/settings/audit/ /p/alpha/storages/ /p/alpha/storages/quarantine/ "
    "/maintenance/ /account/ /account/password/ /account/sessions/ /docs/ /docs/security/ "
    "/docs/errors/ /nowhere/"
).split()


@pytest.fixture
def real(real: Visitor, project: Project, memory_store: RecordStore) -> Visitor:
    """With something of everything to see."""
    Project.objects.filter(pk=project.pk).update(name=HOSTILE, description=HOSTILE * 5)
    Membership.objects.create(project=project, user=make_person("eve"), role=Role.VIEWER)
    tokens.create(COMMAND, "alpha", HOSTILE, ["read", "work"])
    for run_id in maintenance.claim_due():
        maintenance.perform(run_id, "here")
    consumers.beat("here")
    memory_store.insert("alpha", "free.notes", {"text": HOSTILE})
    note = memory_store.insert("alpha", "free.notes", {"text": HOSTILE})
    memory_store.quarantine("alpha", "free.notes", note.id, HOSTILE)
    return real


def test_every_page_is_in_order(real: Visitor) -> None:
    opened = real("/projects/", **MEASURED)
    opened.expected.append("404")  # the page that is not there
    inspect(opened, PAGES)


def test_pages_obey_the_policy_and_show_hostile_text_as_text(real: Visitor) -> None:
    opened = real("/projects/")
    for path in PAGES[:-1]:
        opened.page.goto(path)
    opened.page.goto("/p/alpha/settings/")
    assert HOSTILE in opened.page.locator("main").inner_text() or HOSTILE in opened.page.title()
    assert opened.page.locator("img").count() == 0


def test_every_page_for_guests_is_in_order(real: Visitor) -> None:
    invitation = people.invite(COMMAND, "newcomer")[1]
    inspect(real("/login/", guest=True, **MEASURED), ["/login/", "/offline/", invitation])


def test_a_newcomer_logs_in_chooses_a_password_and_makes_a_project_and_a_token(real: Visitor) -> None:
    newcomer = make_person("newcomer", runs_the_server=True)
    MustChangePassword.objects.create(user=newcomer)
    page = real("/", guest=True).page
    page.get_by_label("Name").fill("newcomer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("New password").fill("a phrase of one's own")
    page.get_by_label("The same again").fill("a phrase of one's own")
    page.get_by_role("button", name="Keep it and go on").click()
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("Reports")
    page.get_by_label("Slug").fill("reports")
    page.get_by_role("button", name="Make the project").click()
    expect(page).to_have_url(re.compile("/p/reports/$"))
    page.goto("/p/reports/settings/tokens/")
    page.get_by_label("Name").fill("worker 1")
    page.get_by_role("button", name="Make it").click()
    secret = page.locator("section.secret code").first.inner_text()
    assert re.fullmatch(r"hf_\w{44}", secret.strip())
    page.goto("/p/reports/settings/tokens/")
    assert secret not in page.content()


def test_a_run_asked_for_on_the_page_shows_as_it_ends(real: Visitor) -> None:
    page = real("/maintenance/").page
    before = TaskRun.objects.count()
    page.get_by_role("button", name=re.compile("Run now.*Health")).click()
    expect(page.get_by_text("health runs within seconds.")).to_be_visible()
    assert TaskRun.objects.count() == before + 1


def test_the_browsers_own_error_page_gives_way_to_ours(
    real: Visitor, live_server: LiveServer, transactional_db: None
) -> None:
    opened = real("/login/", guest=True, service_workers="allow")
    opened.expected.append("ERR_INTERNET_DISCONNECTED")
    page = opened.page
    eventually(page, "navigator.serviceWorker.controller !== null || navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.goto("/projects/")
    expect(page.get_by_role("heading", name="Holdfast cannot be reached")).to_be_visible()


def test_destructive_buttons_ask_first_and_name_the_thing(real: Visitor) -> None:
    page = real("/p/alpha/settings/tokens/").page
    page.get_by_role("button", name="Revoke").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(HOSTILE)
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The token has ended.")).to_be_visible()


def test_a_consumer_that_dies_shows_in_the_banner_and_in_the_bar_without_a_reload(real: Visitor) -> None:
    page = real("/projects/").page
    page.get_by_role("button", name="Live state").click()
    expect(page.get_by_text("1 alive")).to_be_visible()
    page.keyboard.press("Escape")
    ConsumerBeat.objects.all().delete()
    page.evaluate("document.querySelector('[data-vitals]').dispatchEvent(new CustomEvent('live'))")
    expect(page.get_by_text("No consumer is running")).to_be_visible()
    page.get_by_role("button", name="Live state").click()
    expect(page.get_by_text("none alive")).to_be_visible()
