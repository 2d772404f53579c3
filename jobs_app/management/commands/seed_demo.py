"""`manage.py seed_demo`: a project to look at. `up --demo` calls it."""

from argparse import ArgumentParser
from typing import Any

from jobs_app.management.output import SpeakingCommand, json_option
from jobs_app.services import demo


class Command(SpeakingCommand):
    help = "Fills a project with sample data."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        json_option(parser)

    def perform(self, options: dict[str, Any]) -> None:
        demo.require_lasting_records()
        project = demo.seed()
        self.say(options, {"project": project.slug}, f"Project {project.slug} has sample data in it.")
