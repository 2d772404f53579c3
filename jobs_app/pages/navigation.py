"""The pages a person can go to, as data: the navigation, the palette and the `g` keys all read this list.

A new page joins by one line in `PAGES`; its group, icon and key are decided there and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from django.http import HttpRequest
from django.urls import reverse

GroupName = Literal["Work", "Content", "System", "Help"]
GROUPS: tuple[GroupName, ...] = ("Work", "Content", "System", "Help")


class HasSlug(Protocol):
    @property
    def slug(self) -> str: ...


@dataclass(frozen=True)
class Page:
    """`key` follows `g`; `words` are what else somebody may type for it; `of_project` pages need one to be open."""

    name: str
    url_name: str
    icon: str
    group: GroupName
    key: str
    of_project: bool = True
    in_navigation: bool = True
    words: str = ""


@dataclass(frozen=True)
class Link:
    """A page with its address."""

    name: str
    url: str
    icon: str
    key: str
    current: bool
    in_navigation: bool
    words: str


@dataclass(frozen=True)
class Group:
    name: str
    links: Sequence[Link]

    @property
    def in_navigation(self) -> list[Link]:
        return [link for link in self.links if link.in_navigation]


PAGES = (
    Page("Overview", "project-home", "overview", "Work", "o", words="home start dashboard"),
    Page("Jobs", "jobs", "jobs", "Work", "q", words="queue list find failed"),
    Page("Failures", "failures", "warning", "Work", "f", words="errors causes groups retry"),
    Page("Workers", "workers", "workers", "Work", "w", words="fleet drain"),
    Page("Runs", "runs", "runs", "Work", "n", words="pipeline documents artifacts batch"),
    Page("Operations", "operations", "audit", "Work", "r", in_navigation=False, words="bulk many retry progress undo"),
    Page("Saved views", "jobs-views", "filter", "Work", "v", in_navigation=False, words="filters queries kept shared"),
    Page("Pauses", "pauses", "pause", "Work", "z", in_navigation=False, words="stop resume hold"),
    Page("Trash", "jobs-trash", "trash", "Work", "b", in_navigation=False, words="deleted restore undo"),
    Page("Documents", "documents", "documents", "Content", "d", words="files folders upload outbox"),
    Page("Library", "library", "library", "Content", "l", words="prompts exercises texts variables"),
    Page("Segments", "segments", "segments", "Content", "c", words="context memory search stash"),
    Page("Records", "records", "records", "Content", "y", words="collections json objects tasks"),
    Page("Maintenance", "maintenance", "maintenance", "System", "m", of_project=False, words="tasks schedule runs"),
    Page("Storages", "storages", "storages", "System", "s", words="records quarantine size health rate limit"),
    Page("Settings", "settings", "settings", "System", "e", words="project name"),
    Page("Members", "settings-members", "people", "System", "u", in_navigation=False, words="people roles access"),
    Page("Tokens", "settings-tokens", "key", "System", "t", in_navigation=False, words="api bearer secret"),
    Page("Audit log", "settings-audit", "audit", "System", "a", in_navigation=False, words="who when changes history"),
    Page("Projects", "projects", "projects", "System", "p", of_project=False, words="switch all"),
    Page("Documentation", "docs", "docs", "Help", "h", of_project=False, words="guide manual api"),
    Page(
        "My account",
        "account",
        "person",
        "Help",
        "i",
        of_project=False,
        in_navigation=False,
        words="password sessions name",
    ),
)


def groups(project: HasSlug | None, request: HttpRequest | None) -> list[Group]:
    """Every page there is for this project, or those that need none; groups without a page are left out."""
    links = [(page.group, _link(page, project, request)) for page in PAGES if project or not page.of_project]
    made = [Group(name, [link for group, link in links if group == name]) for name in GROUPS]
    return [group for group in made if group.links]


def _link(page: Page, project: HasSlug | None, request: HttpRequest | None) -> Link:
    url = reverse(page.url_name, args=[project.slug] if page.of_project and project else [])
    match = request.resolver_match if request else None
    opened = (match.url_name or "") if match else ""
    # settings-tokens lies under settings: the nearest page in the navigation is the one that is marked
    current = opened == page.url_name or opened.startswith(f"{page.url_name}-")
    return Link(page.name, url, page.icon, page.key, current, page.in_navigation, page.words)
