"""Prompts as people meet them: read, compared, written with a preview, and both texts where two wrote one."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.domain.library import Kind
from jobs_app.models import Project
from jobs_app.services import library
from storage_app import file_storages
from tests.browser import library_world
from tests.browser.conftest import Visitor, eventually
from tests.browser.inspection import MEASURED, inspect
from tests.browser.library_world import LONG, SCRIPT, THIRD, Library

BASE = "/p/alpha/library/"
SUMMARISE = f"{BASE}prompts/summarise/"


@pytest.fixture
def world(project: Project, settings: Settings) -> Iterator[Library]:
    yield library_world.fill(project, settings)
    file_storages.close()


def pages(world: Library) -> Iterator[str]:
    newest = library.versions(COMMAND, "alpha", Kind.PROMPTS, "summarise")[0].version
    yield from (BASE, f"{BASE}?kind=exercises", f"{BASE}?q=nowhere", f"{BASE}new/prompts/", f"{SUMMARISE}edit/")
    for name in ("summarise", "biting", "broken", LONG):
        yield from (f"{BASE}prompts/{name}/", f"{BASE}prompts/{name}/?tab=history", f"{BASE}prompts/{name}/?tab=uses")
    yield from (f"{SUMMARISE}?hash={world.states[0].hash}", f"{SUMMARISE}?tab=history&changes={newest}")
    yield from (f"{SUMMARISE}?tab=uses&of={world.states[0].hash}", f"{BASE}prompts/gone/?tab=uses")
    yield from (f"{SUMMARISE}?ask=rename", f"{BASE}prompts/biting/edit/", f"/p/alpha/jobs/{world.jobs[0].id}/")


def test_every_page_is_in_order(real: Visitor, world: Library) -> None:
    inspect(real("/projects/", **MEASURED), pages(world))


def test_texts_that_bite_are_text_everywhere(real: Visitor, world: Library) -> None:
    page = real("/projects/").page
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for path in pages(world):
        page.goto(path)
        assert page.locator("main script, main img").count() == 0, path
    page.goto(f"{BASE}prompts/biting/")
    expect(page.get_by_role("heading", level=1)).to_have_text("biting")
    expect(page.locator("main")).to_contain_text(SCRIPT)
    assert said == []
    assert not [url for url in requests if "evil.example" in url]


def test_a_prompt_is_written_with_a_preview_edited_and_deleted_on_a_phone(
    real: Visitor, world: Library, project: Project
) -> None:
    page = real(BASE, width=360).page
    page.get_by_role("link", name="New prompt").click()
    page.get_by_label("Name").fill("fresh")
    page.get_by_role("textbox", name="Text").fill("---\nvariables:\n  - name: tone\n---\n# Fresh\n")
    preview = page.get_by_role("region", name="Preview")
    expect(preview.get_by_role("heading", name="Fresh")).to_be_visible()
    expect(preview.get_by_text("tone")).to_be_visible()
    page.get_by_role("textbox", name="Text").fill("---\nvariables: *x\n---\n")
    expect(preview.get_by_text("The front matter cannot be read: line 2")).to_be_visible()
    page.get_by_role("textbox", name="Text").fill("# Fresh\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The prompt fresh is there.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_role("textbox", name="Text").fill("# Fresher\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Fresher")).to_be_visible()
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Write the prompt fresh").first.click()
    expect(page.get_by_role("row", name="1 + added # Fresher")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete this prompt?")
    expect(dialog).to_contain_text("fresh")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The prompt fresh is deleted.")).to_be_visible()


def test_two_edits_meet_and_the_second_sees_both(real: Visitor, world: Library, project: Project) -> None:
    opened = real(f"{SUMMARISE}edit/")
    opened.expected.append("409")
    page = opened.page
    library_world.write(project, "summarise", THIRD + "Theirs.\n")
    page.get_by_role("textbox", name="Text").fill(THIRD + "Mine.\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody else saved it while you were editing.")).to_be_visible()
    expect(page.get_by_role("region", name="There now")).to_contain_text("Theirs.")
    expect(page.get_by_role("row", name="removed Theirs.")).to_be_visible()
    expect(page.get_by_role("row", name="added Mine.")).to_be_visible()
    page.get_by_role("textbox", name="Text").fill(THIRD + "Theirs.\nMine.\n")
    page.get_by_role("button", name="Save this").click()
    expect(page.get_by_text("The prompt summarise is saved.")).to_be_visible()
    assert library.read(COMMAND, "alpha", Kind.PROMPTS, "summarise").content == THIRD + "Theirs.\nMine.\n"


def test_from_a_text_to_the_jobs_of_one_version_and_back_to_what_they_used(real: Visitor, world: Library) -> None:
    page = real(f"{SUMMARISE}?tab=history").page
    page.get_by_role("link", name="Jobs that use this version").last.click()
    expect(page.get_by_role("link", name="report 1")).to_be_visible()
    expect(page.get_by_role("link", name="report 2")).to_have_count(0)
    page.get_by_role("link", name="report 1").click()
    page.get_by_role("link", name="prompts/summarise").click()
    expect(page.get_by_text("This is not the text as it is now.")).to_be_visible()
    expect(page.get_by_role("region", name="What changed since")).to_contain_text("Leave out all names.")


def test_the_list_follows_what_others_write(real: Visitor, world: Library, project: Project) -> None:
    page = real(BASE).page
    expect(page.get_by_role("link", name="summarise")).to_be_visible()
    library_world.write(project, "another", "x\n")
    page.evaluate("document.querySelector('#results').dispatchEvent(new CustomEvent('live'))")
    expect(page.get_by_role("link", name="another")).to_be_visible()
    eventually(page, "document.querySelectorAll('#results tbody tr').length === 5")


def test_without_scripts_a_prompt_is_previewed_and_renamed(real: Visitor, world: Library) -> None:
    page = real(f"{SUMMARISE}edit/", java_script_enabled=False).page
    page.get_by_role("textbox", name="Text").fill("# Plain\n")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview").get_by_role("heading", name="Plain")).to_be_visible()
    page.goto(SUMMARISE)
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("shorter")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_text("It is called shorter now.")).to_be_visible()
