"""`manage.py up`: everything, with one command."""

import contextlib
import errno
import http.client
import ipaddress
import shlex
import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections

from jobs_app.services import people
from project import preparation, supervisor
from project.config import Config

START_DEADLINE = 60.0


class Command(BaseCommand):
    help = "Starts everything: prepares the data folder, then runs the server and the consumer until Ctrl-C."
    # they run below, and a fault ends with code 2
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the port to serve on (8000)")
        parser.add_argument("--host", default="127.0.0.1", help="the address to serve on (127.0.0.1)")
        parser.add_argument("--workers", type=int, default=1, help="server processes (1)")
        parser.add_argument("--demo", action="store_true", help="a project with sample data, and a fleet at work")

    def handle(self, *, port: int, host: str, workers: int, demo: bool, **_options: Any) -> None:
        _refuse_wrong_options(port, workers)
        _refuse_wrong_configuration()
        _refuse_taken_port(host, port)
        self._prepare(demo)
        self._say_who_is_answered(host)
        running = supervisor.Supervisor(_children(host, port, workers, demo), self._say, supervisor.environment())
        supervisor.stop_on_signals(running.stop)
        running.start()
        if running.wait_until(lambda: _answers(host, port), START_DEADLINE):
            self._welcome(host, port)
        running.run()
        self._say("Stopped.")

    def _prepare(self, demo: bool) -> None:
        try:
            for line in preparation.prepare():
                self._say(f"{line[0].upper()}{line[1:]}.")
            if demo:
                call_command("seed_demo")
        except DatabaseError as error:
            message = f"The database cannot be prepared, see HOLDFAST_DATABASE_URL: {error}"
            raise CommandError(message, returncode=2) from error
        except (OSError, TimeoutError) as error:
            raise CommandError(f"The data cannot be prepared: {error}", returncode=2) from error

    def _say_who_is_answered(self, host: str) -> None:
        if _is_local(host) or settings.CONFIG.hosts != list(Config.model_fields["allowed_hosts"].default):
            return
        self._say(
            f"Serving on {host}, but only requests for localhost are answered: "
            "set HOLDFAST_ALLOWED_HOSTS or HOLDFAST_PUBLIC_URL to the name people will use."
        )

    def _welcome(self, host: str, port: int) -> None:
        address = _address(host, port)
        token = f"$(python3 {shlex.quote(sys.argv[0])} tokens create --server --days 1)"
        lines = [
            ("Dashboard", f"{address}/"),
            ("API", f"curl {address}/api/v1/openapi.json"),
            ("", f'curl -H "Authorization: Bearer {token}" {address}/api/v1/me'),
        ]
        if login := people.first_login():
            name, password = login
            lines[1:1] = [("Login", name), ("Password", f"{password}   (shown this once; choose your own at login)")]
        connections.close_all()
        lines.append(("Data", str(settings.CONFIG.data)))
        self._say("\nHoldfast is ready.\n\n")
        for label, value in lines:
            self._say(f"  {label:<11}{value}")
        self._say("\nCtrl-C stops it.\n\n")

    def _say(self, line: str) -> None:
        # whoever read along may be gone; the work goes on
        with contextlib.suppress(BrokenPipeError):
            self.stdout.write(line)
            self.stdout.flush()


def _children(host: str, port: int, workers: int, demo: bool) -> dict[str, list[str]]:
    serve = ["--host", host, "--port", str(port), "--workers", str(workers), "--lifeline"]
    children = {
        "server": supervisor.python("project.serving.server", *serve),
        "consumer": supervisor.python("project.consumer", "--lifeline"),
    }
    return children | {"fleet": supervisor.python("project.demo_fleet", "--lifeline")} if demo else children


def _refuse_wrong_options(port: int, workers: int) -> None:
    if not 1 <= port <= 65535:
        raise CommandError("--port must be between 1 and 65535.", returncode=2)
    if not 1 <= workers <= 64:
        raise CommandError("--workers must be between 1 and 64.", returncode=2)


def _refuse_wrong_configuration() -> None:
    if faults := preparation.configuration_faults():
        raise CommandError("The configuration does not hold together:\n" + "\n".join(faults), returncode=2)


def _refuse_taken_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except PermissionError as error:
        raise CommandError(
            f"Port {port} may not be opened by this user; choose another with --port.", returncode=2
        ) from error
    except socket.gaierror as error:
        raise CommandError(
            f"{host} is not an address of this machine; choose another with --host.", returncode=2
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL or "address is not valid" in str(error):
            message = f"{host} is not an address of this machine; choose another with --host."
        else:
            message = f"Port {port} on {host} is in use; choose another with --port."
        raise CommandError(message, returncode=2) from error


def _answers(host: str, port: int) -> bool:
    """The server, and Django behind it."""
    line = http.client.HTTPConnection(_reachable(host), port, timeout=5)
    try:
        line.request("GET", "/healthz", headers={"Host": settings.CONFIG.hosts[0].lstrip(".")})
        return line.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def _address(host: str, port: int) -> str:
    if settings.CONFIG.public_url:
        return str(settings.CONFIG.public_url)
    reachable = _reachable(host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _reachable(host: str) -> str:
    """Where this machine itself reaches a server on that address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
