"""Imports point one way: pages, api, tasks -> services -> stores -> storage_app; domain and errors know nothing of
ours.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
OURS: Final = ("project", "jobs_app", "storage_app")

# What services may use, and all that stands left of them may use too.
BEHIND: Final = ("storage_app", "jobs_app.domain", "jobs_app.errors", "jobs_app.models", "jobs_app.sessions")
INWARDS: Final = ("jobs_app.services", "jobs_app.stores", *BEHIND)
# HTML is made by pages and template tags together; streaming carries events for whoever answers with them.
HTML: Final = ("jobs_app.pages", "jobs_app.templatetags", "jobs_app.live", "jobs_app.streaming")
# What a part may import of ours beside itself. The first part that fits is the rule, so every module has one.
RULES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("jobs_app.domain", ()),
    ("jobs_app.errors", ()),
    ("jobs_app.sessions", ("jobs_app.models",)),
    # The tables of a collection are Django models made from its declaration.
    ("jobs_app.models", ("storage_app", "jobs_app.domain", "jobs_app.errors", "jobs_app.sessions", "jobs_app.stores")),
    ("jobs_app.stores", ("storage_app", "jobs_app.domain", "jobs_app.errors")),
    ("jobs_app.services", ("jobs_app.stores", *BEHIND)),
    ("jobs_app.streaming", INWARDS),
    ("jobs_app.live", ("jobs_app.streaming", *INWARDS)),
    ("jobs_app.pages", (*HTML, *INWARDS)),
    ("jobs_app.templatetags", (*HTML, *INWARDS)),
    ("jobs_app.api", ("jobs_app.live", "jobs_app.streaming", *INWARDS)),
    ("jobs_app.tasks", INWARDS),
    # What a command prints as JSON is what the API answers, so that scripts know one form.
    ("jobs_app.management", ("jobs_app.api", "jobs_app.live", "jobs_app.streaming", *INWARDS)),
    ("jobs_app.admin", ("jobs_app.pages", *INWARDS)),
    ("jobs_app.apps", ("jobs_app.pages", *INWARDS)),
    ("jobs_app.urls", (*HTML, *INWARDS)),
    ("jobs_app.migrations", ("storage_app", "jobs_app.models")),
    ("storage_app", ()),
    ("project", ("jobs_app", "storage_app")),
)


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports_of(source: str, module: str, is_package: bool = False) -> set[str]:
    """Every module that is imported anywhere in the source, relative ones and those inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = _absolute(node, module, is_package)
            found.update(f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _names_module(node.value):
            found.add(node.value.partition(":")[0])
    return found


def forbidden(module: str, imported: str) -> bool:
    if imported.partition(".")[0] not in OURS:
        return False
    if module == imported or module == "jobs_app":
        return module != imported
    rule = next((rule for rule in RULES if _within(module, rule[0])), None)
    if rule is None:
        return True  # a new part says here first what it may import
    part, allowed = rule
    return not any(_within(imported, name) for name in (part, *allowed))


def test_imports_point_one_way() -> None:
    seen, wrong = 0, []
    for module, path in modules():
        for imported in sorted(imports_of(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")):
            seen += imported.partition(".")[0] in OURS
            if forbidden(module, imported):
                wrong.append(f"{module} imports {imported}")
    assert seen > 30, "the walk must have met imports of ours, else it proves nothing"
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("storage_app.records.base", "from jobs_app.domain import job"),
        ("storage_app.records.base", "import project.config"),
        ("storage_app.records.registry", "NAME = 'jobs_app.stores.jobs:JOBS'"),
        ("jobs_app.domain.job", "from storage_app import strict_json"),
        ("jobs_app.domain.job", "from jobs_app.errors import Refused"),
        ("jobs_app.errors", "from jobs_app.domain.job import Job"),
        ("jobs_app.stores.jobs", "from jobs_app.services import claims"),
        ("jobs_app.stores.jobs", "from ..services import claims"),
        ("jobs_app.services.claims", "def late():\n    from jobs_app.tasks import expiry"),
        ("jobs_app.services.claims", "from jobs_app import pages"),
        ("jobs_app.services.claims", "from project import settings"),
        ("jobs_app.pages.jobs", "from jobs_app.api import jobs"),
        ("jobs_app.api.jobs", "from jobs_app.pages import access"),
        ("jobs_app.tasks.expiry", "from jobs_app.api import schemas"),
        ("jobs_app.services.claims", "from jobs_app import live"),
        ("jobs_app.models", "from jobs_app.services import jobs"),
        ("jobs_app.tasks.expiry", "import jobs_app.pages.jobs"),
        ("jobs_app.api.jobs", "from project.problems import answer"),
    ],
)
def test_an_import_against_the_arrow_is_found(module: str, source: str) -> None:
    assert any(forbidden(module, imported) for imported in imports_of(source, module))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jobs_app.pages.jobs", "from jobs_app.services import jobs\nfrom jobs_app.pages import access\nimport json"),
        ("jobs_app.api.jobs", "from jobs_app.domain.job import Job\nfrom jobs_app.errors import Refused"),
        ("jobs_app.services.claims", "from jobs_app.stores import jobs\nfrom storage_app.records import base"),
        ("jobs_app.stores.jobs", "from storage_app.records.base import RecordStore\nfrom . import segments"),
        ("jobs_app.domain.job", "from jobs_app.domain import run\nfrom enum import Enum"),
        ("jobs_app.management.commands.jobs", "from jobs_app.services import jobs"),
        ("project.urls", "from jobs_app.urls import urlpatterns\nfrom project.api import api"),
    ],
)
def test_an_import_along_the_arrow_is_let_through(module: str, source: str) -> None:
    assert not any(forbidden(module, imported) for imported in imports_of(source, module))


def _within(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    base = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def _names_module(text: str) -> bool:
    """Text such as `storage_app.records.memory:MemoryRecordStore`, which is imported later."""
    module, colon, attribute = text.partition(":")
    return bool(colon) and attribute.isidentifier() and all(part.isidentifier() for part in module.split("."))
