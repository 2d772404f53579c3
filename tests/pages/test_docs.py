"""The guide is served by the application, names this very server, and knows every error."""

import pytest
from django.test import Client

from jobs_app.pages import docs
from jobs_app.services import markdown
from project import problems
from tests.factories import make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_person())
    return client


def test_every_chapter_opens(client: Client) -> None:
    assert len(docs.chapters()) > 3
    for chapter in docs.chapters():
        page = client.get(f"/docs/{chapter.name}/")
        assert page.status_code == 200
        assert chapter.title in page.content.decode()


def test_examples_name_this_server(client: Client) -> None:
    page = client.get("/docs/", headers={"Host": "localhost:1234"}).content.decode()
    assert "http://localhost:1234/api/v1/me" in page
    assert "{{" not in page


def test_every_error_can_be_linked_to(client: Client) -> None:
    page = client.get("/docs/errors/").content.decode()
    missing = [code for code in problems.PROBLEMS if f'<h2 id="{code}">' not in page]
    assert missing == []


@pytest.mark.parametrize("name", ["nowhere", "10-index", "..", "index.md"])
def test_what_is_no_chapter_is_not_found(client: Client, name: str) -> None:
    assert client.get(f"/docs/{name}/").status_code == 404


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        '<a hx-delete="/p/alpha/" hx-trigger="load">x</a>',
        '<div data-hx-get="/x" style="position:fixed" id="content">x</div>',
        "![x](javascript:alert(1))",
        '<form action="/logout/" method="post"><button>x</button></form>',
        "<svg><use href='//evil.example/x.svg#a'/></svg>",
        "<iframe src='//evil.example'></iframe>",
        '<math><mtext><table><mglyph><style><img src=x onerror="alert(1)">',
    ],
)
def test_hostile_markdown_is_harmless(text: str) -> None:
    html = markdown.rendered(text)
    for tag in ("<script", "<img src=x", "<div", "<form", "<svg", "<iframe", "<style", "<math"):
        assert tag not in html
    assert 'href="javascript' not in html
    assert 'href="data' not in html
    assert 'src="javascript' not in html
    assert not any(f"<{tag} hx-" in html or f"<{tag} data-hx" in html for tag in ("a", "div"))


def test_ordinary_markdown_is_kept() -> None:
    html = markdown.rendered("# A\n\n| a | b |\n|---|---|\n| 1 | `2` |\n\n[site](https://example.org) ~~old~~")
    assert "<table>" in html
    assert "<code>2</code>" in html
    assert 'href="https://example.org"' in html
    assert "<s>old</s>" in html
