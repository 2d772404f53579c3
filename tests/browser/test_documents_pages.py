"""Files as people meet them: found, read, changed and sent; with names and contents that bite, on a phone, by keys."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import expect
from pytest_django import Settings

from jobs_app.domain.access import COMMAND
from jobs_app.models import Project
from jobs_app.services import files
from storage_app import file_storages
from tests.browser import documents_world
from tests.browser.conftest import Visitor, eventually
from tests.browser.documents_world import HOSTILE, Documents
from tests.browser.inspection import MEASURED, inspect

LONG = "long-" * 40 + ".txt"
BASE = "/p/alpha/documents/default/"


@pytest.fixture
def world(project: Project, settings: Settings) -> Iterator[Documents]:
    yield documents_world.fill(project, settings)
    file_storages.close()


def file(path: str, **more: str) -> str:
    query = "".join(f"&{name}={value}" for name, value in more.items())
    return f"{BASE}file/?path={quote(path)}{query}"


def pages() -> Iterator[str]:
    yield from (BASE, f"{BASE}?folder=docs", f"{BASE}?folder=hostile", f"{BASE}?folder=many", f"{BASE}?q=*.md")
    yield from (f"{BASE}?folder=docs/deep/deeper/deepest", f"{BASE}?q=nowhere", f"{BASE}?folder=gone")
    yield "/p/alpha/documents/archive/"
    for name in ("docs/notes.md", "docs/data.json", "docs/broken.json", "docs/picture.png", "large.log", "empty.txt"):
        yield file(name)
    for name in (
        HOSTILE,
        documents_world.TURNED,
        "drawing.svg",
        "page.html",
        "%2e%2e#a?b=c&d.txt",
        "long-" * 40 + ".txt",
    ):
        yield file(f"hostile/{name}")
    yield from (file("docs/notes.md", tab=tab) for tab in ("source", "history", "diff"))
    yield from (file(f"hostile/{HOSTILE}", tab=tab) for tab in ("history", "diff"))
    yield from (f"{BASE}outbox/", f"{BASE}new/?folder=docs", f"{BASE}edit/?path=docs/notes.md", "/p/alpha/storages/")


def test_every_page_is_in_order(real: Visitor, world: Documents) -> None:
    inspect(real("/projects/", **MEASURED), pages())


def test_hostile_names_and_contents_are_text_everywhere(real: Visitor, world: Documents) -> None:
    page = real("/projects/").page
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    for path in pages():
        page.goto(path)
        assert page.locator("main script").count() == 0, path
        for source in page.locator("main img").evaluate_all("images => images.map(image => image.getAttribute('src'))"):
            assert source.startswith("/p/alpha/documents/default/image/?path=docs%2Fpicture.png"), path
    page.goto(file(f"hostile/{HOSTILE}"))
    expect(page.get_by_role("heading", level=1).first).to_have_text(HOSTILE)
    assert said == []
    assert not [url for url in requests if "evil.example" in url]
    assert not [url for url in requests if url.endswith("/p/alpha/")]


def test_a_file_is_made_edited_and_deleted_on_a_phone(real: Visitor, world: Documents, project: Project) -> None:
    page = real(f"{BASE}?folder=docs", width=360).page
    page.get_by_role("link", name="New file").click()
    page.get_by_label("Path in default").fill("docs/fresh.md")
    page.get_by_label("Text").fill("# Fresh\n")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", name="Fresh", exact=True)).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Text").fill("# Fresher\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Fresher")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_role("link", name="What changed").first.click()
    expect(page.get_by_role("row", name="1 + added # Fresher")).to_be_visible()
    page.get_by_role("link", name="As it is now").click()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog", name="Delete fresh.md?")
    expect(dialog).to_contain_text("Its history stays.")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The file was deleted.")).to_be_visible()
    assert not files.exists(COMMAND, "alpha", "default", "docs/fresh.md")


def test_a_lost_race_shows_both_texts_and_the_reader_decides(real: Visitor, world: Documents, project: Project) -> None:
    opened = real(f"{BASE}edit/?path=docs/sent.txt")
    opened.expected.append("409")
    page = opened.page
    documents_world.write(project, "docs/sent.txt", b"sent\nby somebody else\n", "Theirs")
    page.get_by_label("Text").fill("sent\nby me\n")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("sent.txt has changed meanwhile")
    expect(page.get_by_role("textbox", name="What is there now")).to_have_value("sent\nby somebody else\n")
    expect(page.get_by_role("textbox", name="Your text")).to_have_value("sent\nby me\n")
    expect(page.get_by_role("row", name="removed by somebody else")).to_be_visible()
    page.get_by_role("button", name="Save mine over it").click()
    expect(page.locator("pre.sheet")).to_have_text("sent\nby me\n")


def test_files_are_dropped_and_sent_with_progress_and_what_is_there_is_asked_about(
    real: Visitor, world: Documents, tmp_path: Path
) -> None:
    opened = real(f"{BASE}?folder=docs")
    opened.expected.append("412")
    page = opened.page
    for name, content in (("one.txt", b"1"), (HOSTILE, b"2"), ("data.json", b"{}")):
        (tmp_path / name).write_bytes(content)
    page.get_by_role("link", name="Upload").click()
    dialog = page.get_by_role("dialog", name="Upload into docs")
    dialog.locator("input[type=file]").set_input_files([tmp_path / "one.txt", tmp_path / "data.json"])
    dialog.get_by_role("button", name="Upload").click()
    expect(dialog.get_by_text("There", exact=True)).to_have_count(1)
    expect(dialog.get_by_text("There is such a file already.")).to_be_visible()
    assert files.read(COMMAND, "alpha", "default", "docs/one.txt").content == b"1"
    dialog.get_by_role("button", name="Replace").click()
    expect(dialog.get_by_text("There", exact=True)).to_have_count(2)
    assert files.read(COMMAND, "alpha", "default", "docs/data.json").content == b"{}"
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("link", name="one.txt")).to_be_visible()
    page.evaluate(
        """() => { const data = new DataTransfer(); data.items.add(new File(["dropped"], "dropped.txt"));
        document.querySelector("main").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true})); }"""
    )
    expect(dialog.get_by_text("There", exact=True)).to_have_count(3)
    assert files.read(COMMAND, "alpha", "default", "docs/dropped.txt").content == b"dropped"


def test_without_scripts_files_are_uploaded_renamed_and_sent(real: Visitor, world: Documents, tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_bytes(b"plain")
    page = real(f"{BASE}?folder=docs", java_script_enabled=False).page
    page.get_by_role("link", name="Upload").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "plain.txt")
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("plain.txt was uploaded.")).to_be_visible()
    page.get_by_role("link", name="plain.txt").click()
    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Path in default").fill("docs/moved.txt")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("moved.txt")
    page.get_by_role("link", name="Outbox").click()
    page.get_by_role("button", name="Send now").click()
    expect(page.get_by_text("1 file went out.")).to_be_visible()


def test_the_drawer_shows_what_waits_and_parked_changes_are_tried_again_or_thrown_away(
    real: Visitor, world: Documents
) -> None:
    page = real(BASE).page
    expect(page.get_by_text("1 change was not taken by the storage default")).to_be_visible()
    page.get_by_role("link", name="Outbox").first.click()
    drawer = page.get_by_role("dialog", name="Outbox of default")
    expect(drawer.get_by_text("Parked")).to_be_visible()
    expect(drawer.get_by_role("link", name=f"docs/{HOSTILE}")).to_be_visible()
    drawer.get_by_role("button", name="Discard binary.bin").click()
    page.get_by_role("dialog", name="Discard the change").get_by_role("button", name="Discard").click()
    expect(page.get_by_text("The change was thrown away.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Outbox of default")
    expect(page.get_by_text("Parked")).to_have_count(0)


def test_pages_follow_each_other_and_back_works(real: Visitor, world: Documents) -> None:
    page = real(f"{BASE}?folder=many").page
    expect(page.get_by_text("100 of 130")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="129.txt")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("link", name="000.txt")).to_be_visible()
    eventually(page, "document.querySelectorAll('#files tbody tr').length === 100")


def test_a_storage_is_tested_by_a_button(real: Visitor, world: Documents) -> None:
    page = real("/p/alpha/storages/").page
    page.get_by_role("button", name="Test default").click()
    expect(page.get_by_text("default answers.")).to_be_visible()
    expect(page.get_by_role("article", name="default").get_by_text("Up")).to_be_visible()
