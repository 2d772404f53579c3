"""`manage.py people create NAME`, `invite NAME`, `role NAME --project SLUG ROLE`, `list`, `disable NAME`."""

import getpass
import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from jobs_app.domain.access import COMMAND, Role
from jobs_app.management.output import SpeakingCommand, json_option
from jobs_app.services import members, people


class Command(SpeakingCommand):
    help = "Makes and invites people, and gives them roles."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a login; asks for the password, or makes one with --generate")
        create.add_argument("--server", action="store_true", help="runs the server: reaches every project")
        create.add_argument("--generate", action="store_true", help="make a one-time password and show it")
        invite = verbs.add_parser("invite", help="make a link with which somebody chooses their password")
        role = verbs.add_parser("role", help="give somebody a role in a project")
        role.add_argument("--project", metavar="SLUG", required=True)
        disable = verbs.add_parser("disable", help="end somebody's sessions and login")
        for verb in (create, invite, role, disable):
            verb.add_argument("name")
        role.add_argument("role", choices=list(Role))
        listing = verbs.add_parser("list", help="list the people")
        for verb in (create, invite, role, disable, listing):
            json_option(verb)

    def perform(self, options: dict[str, Any]) -> None:
        match options["verb"]:
            case "create":
                self._create(options)
            case "invite":
                user, path = people.invite(COMMAND, options["name"])
                address = f"{settings.CONFIG.public_url or 'http://127.0.0.1:8000'}{path}"
                self.say(options, {"name": user.get_username(), "link": address}, address)
            case "role":
                members.set_role(COMMAND, options["project"], options["name"], options["role"])
                answer = {"name": options["name"], "project": options["project"], "role": options["role"]}
                self.say(options, answer, f"{options['name']} is {options['role']} of {options['project']}.")
            case "disable":
                people.disable(COMMAND, options["name"])
                self.say(options, {"disabled": options["name"]}, f"{options['name']} can no longer log in.")
            case "list":
                self.table(options, [_row(user) for user in people.everyone(COMMAND)], "There is nobody yet.")

    def _create(self, options: dict[str, Any]) -> None:
        password = secrets.token_urlsafe(12) if options["generate"] else _asked_password()
        user = people.create(
            COMMAND,
            options["name"],
            password,
            runs_the_server=options["server"],
            one_time=options["generate"],
        )
        answer = {"name": user.get_username(), **({"password": password} if options["generate"] else {})}
        shown = f" with the one-time password {password}" if options["generate"] else ""
        self.say(options, answer, f"{user.get_username()} can log in{shown}.")


def _asked_password() -> str:
    """From the terminal without echo, or one line of standard input."""
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _row(user: Any) -> dict[str, Any]:
    roles = " ".join(f"{membership.project.slug}:{membership.role}" for membership in user.memberships.all())
    return {
        "name": user.get_username(),
        "server": "yes" if user.is_superuser else "",
        "active": "yes" if user.is_active else "no",
        "roles": roles,
    }
