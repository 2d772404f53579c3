"""`manage.py check` in one environment after the other, each in a fork of a process that has loaded what it can:

    python -m tests.project.checks_by_forks < ENVIRONMENTS

Settings are made from the environment in each fork. Reads a list of variables to add, tells code, output and errors.
"""

import gc
import importlib
import json
import os
import sys
import tempfile

import manage

for name in ("huey", "django.core.management", "project.config", "project.logs", "storage_app.providers.factory"):
    importlib.import_module(name)


def main() -> None:
    gc.freeze()  # or each fork would, at its end, go through all that is loaded here
    ends = []
    for environ in json.load(sys.stdin):
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            child = os.fork()
            if child == 0:
                os.environ.update(environ)
                os.dup2(output.fileno(), 1)
                os.dup2(errors.fileno(), 2)
                sys.argv = ["manage.py", "check"]
                sys.exit(manage.main())
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            output.seek(0)
            errors.seek(0)
            ends.append((code, output.read().decode(), errors.read().decode()))
    print(json.dumps(ends))


if __name__ == "__main__":
    main()
