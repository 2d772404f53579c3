"""A real browser against a live server. `visit` opens pages; whatever the browser complains about fails the test."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client, override_settings
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from project import chromium
from tests.browser import preview  # here, while the product's addresses are in force: samples ask for some

QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
]
# what browser and libraries say of what is as it should be: our offline page has a test of its own, and elsewhere its
# worker is kept away; a request that a later one replaces is ended, which htmx writes down as an error
NO_COMPLAINTS = ("Service Worker registration blocked", "htmx:error: signal is aborted")
ANSWERS_WITHIN = 60_000  # milliseconds; a slow machine is no fault, and who answers sooner is not kept waiting
LONG_AGO = 1_600_000_000.0


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser while tests of this folder run, and none afterwards: Playwright keeps an event loop running in the
    thread it is called from, in which no other test could use one, nor Django its database without being allowed to.
    """
    program = _program()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            expect.set_options(timeout=ANSWERS_WITHIN)
            started = _start(playwright, program)
            yield started
            started.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def _start(playwright: Playwright, program: Path) -> Browser:
    # as root (containers) Chromium refuses to start with its sandbox
    arguments = [*QUIET, *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else [])]
    return playwright.chromium.launch(executable_path=program, args=arguments)


def _program() -> Path:
    """A missing browser is a failure where it counts, and elsewhere a skip that says what to do."""
    program = chromium.find()
    if program is None:
        reason = (
            f"No Chromium starts here. Install one, name it in {chromium.VARIABLE}, or run: playwright install chromium"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


@pytest.fixture(scope="package")
def collected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Static files as they are served in earnest: one style sheet and hashed names, so pages also load quickly."""
    root = tmp_path_factory.mktemp("static")
    storages = {**django_settings.STORAGES, "staticfiles": {"BACKEND": "project.static_files.StaticFiles"}}
    with override_settings(STATIC_ROOT=root, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0, ignore=["ninja", "htmx-2*", "htmax*", "hx-*"])
    for file in root.rglob("*"):
        os.utime(file, (LONG_AGO, LONG_AGO))  # a browser asks again for what is new, on each page
    return {"STATIC_ROOT": root, "STORAGES": storages, "STATICFILES_DIRS": [root]}


@dataclass
class Visit:
    """A page that was opened, and what the browser complained about on it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)  # parts of complaints that the test brings about itself

    def listen(self) -> None:
        self.page.set_default_timeout(ANSWERS_WITHIN)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning") and not any(part in said.text for part in NO_COMPLAINTS):
            self.complaints.append(said.text)


Visitor = Callable[..., Visit]


def eventually(page: Page, expression: str) -> None:
    """Until the expression is true. Playwright's own waiting evaluates text in the page, which the policy forbids."""
    deadline = time.monotonic() + ANSWERS_WITHIN / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(20)


def leave(context: BrowserContext) -> None:
    """Close it when its pages have come to rest: told to close a page that is just arriving at another address,
    Chromium now and then goes on loading it, never closes anything, and never says so.
    """
    for page in context.pages:
        try:
            page.goto("about:blank")
        except Error:  # what the last click began arrived in between
            page.goto("about:blank")
    context.close()


@pytest.fixture
def visit(
    browser: Browser, collected: dict[str, Any], live_server: LiveServer, settings: Settings
) -> Iterator[Visitor]:
    """`visit("/styleguide/", width=360, theme="dark", javascript=False)`; logged in as staff unless `guest=True`."""
    settings.ROOT_URLCONF = preview.__name__
    for name, value in collected.items():
        setattr(settings, name, value)
    # the live server serves static files from where they are written; here, from where they were collected
    finders.get_finder.cache_clear()  # type: ignore[attr-defined] # an lru_cache, which the stubs do not say
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def open_page(
        path: str,
        *,
        width: int = 1440,
        theme: Literal["light", "dark"] = "light",
        guest: bool = False,
        **options: Any,
    ) -> Visit:
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            reduced_motion="reduce",
            **{"service_workers": "block", **options},
        )
        contexts.append(context)
        if not guest:
            context.add_cookies([{"name": "sessionid", "value": _session(), "url": live_server.url}])
        opened = Visit(context.new_page())
        opened.listen()
        visits.append(opened)
        opened.page.goto(path)
        return opened

    yield open_page
    for context in contexts:
        leave(context)
    complaints = [
        complaint
        for opened in visits
        for complaint in opened.complaints
        if not any(part in complaint for part in opened.expected)
    ]
    finders.get_finder.cache_clear()  # type: ignore[attr-defined] # as above
    assert complaints == []


@pytest.fixture
def real(visit: Visitor, settings: Settings) -> Visitor:
    """`visit` among the product's own addresses."""
    settings.ROOT_URLCONF = "tests.browser.real_urls"
    return visit


def _session() -> str:
    user, _ = User.objects.get_or_create(username="ada", defaults={"is_staff": True, "is_superuser": True})
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value
