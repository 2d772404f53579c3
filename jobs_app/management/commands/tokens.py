"""`manage.py tokens create --project SLUG --scope read --scope work`, `tokens list`, `tokens revoke`."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.utils import timezone

from jobs_app.domain.access import COMMAND, SCOPE_PHRASES, Scope
from jobs_app.management.output import SpeakingCommand, json_option
from jobs_app.services import tokens


class Command(SpeakingCommand):
    help = "Makes, lists and revokes bearer tokens for programs."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a token; its secret is shown once")
        where = create.add_mutually_exclusive_group(required=True)
        where.add_argument("--project", metavar="SLUG", help="the project it is for")
        where.add_argument("--server", action="store_true", help="for every project, e.g. for metrics")
        create.add_argument("--name", default="command line", help="who uses it")
        scopes = "; ".join(f"{scope}: {phrase}" for scope, phrase in SCOPE_PHRASES.items())
        create.add_argument(
            "--scope", action="append", choices=list(Scope), help=f"repeatable, default read. {scopes}", metavar="SCOPE"
        )
        create.add_argument(
            "--days",
            type=int,
            choices=range(1, 3651),
            metavar="DAYS",
            help="how long it is good; default: until revoked",
        )
        listing = verbs.add_parser("list", help="list the tokens of a project")
        revoke = verbs.add_parser("revoke", help="end a token at once")
        revoke.add_argument("id", type=int)
        for verb in (listing, revoke):
            verb.add_argument("--project", metavar="SLUG", required=True)
        for verb in (create, listing, revoke):
            json_option(verb)

    def perform(self, options: dict[str, Any]) -> None:
        match options["verb"]:
            case "create":
                self._create(options)
            case "list":
                rows = [
                    {
                        "id": token.pk,
                        "name": token.name,
                        "begins": token.hint,
                        "scopes": " ".join(token.scopes),
                        "state": "revoked" if token.revoked_at else "live",
                        "last_used": token.last_used_at,
                    }
                    for token in tokens.of(COMMAND, options["project"])
                ]
                self.table(options, rows, f"{options['project']} has no token yet.")
            case "revoke":
                tokens.revoke(COMMAND, options["project"], options["id"])
                self.say(options, {"revoked": options["id"]}, f"Token {options['id']} has ended.")

    def _create(self, options: dict[str, Any]) -> None:
        scopes = options["scope"] or [Scope.READ]
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] is not None else None
        if options["server"]:
            token, secret = tokens.create_for_server(COMMAND, options["name"], scopes, expires_at)
        else:
            token, secret = tokens.create(COMMAND, options["project"], options["name"], scopes, expires_at)
        answer = {"token": secret, "id": token.pk, "scopes": token.scopes, "expires_at": token.expires_at}
        self.say(options, answer, secret)
        # apart from the secret, which a shell may take straight into a command
        self.stderr.write("This is shown once; keep it where your program reads it.")
