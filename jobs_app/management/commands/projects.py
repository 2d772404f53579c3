"""`manage.py projects create SLUG`, `projects list`, `projects delete SLUG`."""

from argparse import ArgumentParser
from typing import Any

from jobs_app.domain.access import COMMAND
from jobs_app.management.output import SpeakingCommand, json_option
from jobs_app.services import projects


class Command(SpeakingCommand):
    help = "Makes, lists and deletes projects."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a project")
        create.add_argument("slug", help="how addresses and commands name it")
        create.add_argument("--name", default="", help="how people name it")
        listing = verbs.add_parser("list", help="list the projects")
        delete = verbs.add_parser("delete", help="delete a project and everything of it")
        delete.add_argument("slug")
        delete.add_argument("--yes", action="store_true", help="do not ask")
        for verb in (create, listing, delete):
            json_option(verb)

    def perform(self, options: dict[str, Any]) -> None:
        match options["verb"]:
            case "create":
                project = projects.create(COMMAND, options["slug"], options["name"])
                answer = {"slug": project.slug, "name": project.name}
                self.say(options, answer, f"Project {project.slug} is there.")
            case "list":
                rows = [
                    {"slug": project.slug, "name": project.name, "created": project.created_at.isoformat()}
                    for project in projects.visible(COMMAND)
                ]
                self.table(options, rows, "There is no project yet. Make one with: manage.py projects create SLUG")
            case "delete":
                self._delete(options)

    def _delete(self, options: dict[str, Any]) -> None:
        slug = options["slug"]
        projects.get(COMMAND, slug)
        confirmed = slug if options["yes"] else input(f"Type {slug} to delete the project and everything of it: ")
        projects.delete(COMMAND, slug, confirmed.strip())
        self.say(options, {"deleted": slug}, f"Project {slug} and everything of it is gone.")
