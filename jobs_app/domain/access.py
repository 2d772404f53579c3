"""Who somebody is and what they may do: roles for people, scopes for tokens, one set of words for both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    WORK = "work"
    ADMIN = "admin"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        return ROLE_SCOPES[self]

    @property
    def phrase(self) -> str:
        return ROLE_PHRASES[self]


ROLE_SCOPES: Mapping[Role, frozenset[Scope]] = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.OPERATOR: frozenset({Scope.READ, Scope.WRITE, Scope.WORK}),
    Role.ADMIN: frozenset(Scope),
}
ROLE_PHRASES: Mapping[Role, str] = {
    Role.VIEWER: "sees everything of the project and changes nothing",
    Role.OPERATOR: "also creates, changes, retries and cancels",
    Role.ADMIN: "also manages members, tokens and the project itself",
}
SCOPE_PHRASES: Mapping[Scope, str] = {
    Scope.READ: "see everything of the project",
    Scope.WRITE: "create and change jobs, files, segments and records",
    Scope.WORK: "claim jobs, report their outcome and write what they made",
    Scope.ADMIN: "manage members, tokens and the project itself",
}

EVERY_SCOPE = frozenset(Scope)
NO_SCOPE: frozenset[Scope] = frozenset()


class ActorKind(StrEnum):
    PERSON = "person"
    TOKEN = "token"  # noqa: S105 - a word, not a secret
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks. `projects` maps a project's id to the scopes held there; `everywhere` holds in all of them."""

    kind: ActorKind
    id: str
    name: str
    projects: Mapping[int, frozenset[Scope]] = field(default_factory=dict)
    everywhere: frozenset[Scope] = NO_SCOPE
    address: str = ""
    request_id: str = ""

    def scopes_in(self, project_id: int) -> frozenset[Scope]:
        return self.projects.get(project_id, NO_SCOPE) | self.everywhere

    @property
    def runs_the_server(self) -> bool:
        """May do what concerns no single project: make projects, run maintenance."""
        return Scope.ADMIN in self.everywhere


SYSTEM = Actor(ActorKind.SYSTEM, "system", "Holdfast", everywhere=EVERY_SCOPE)
COMMAND = Actor(ActorKind.COMMAND, "command", "command line", everywhere=EVERY_SCOPE)
