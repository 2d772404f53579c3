#!/usr/bin/env python3
"""Runs Holdfast: `up` starts everything, `test` checks everything, the rest are Django's commands and ours."""

import gc
import importlib
import os
import sys

from project import bootstrap


def main() -> int:
    bootstrap.enter_environment(sys.argv)
    if sys.argv[1:2] == ["test"]:
        importlib.import_module("tests.environment")  # neither the data nor the settings that are used here
    gc.disable()  # until all is loaded: nothing of it goes again, and looking for that is a fifth of a start
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
    return 0


if __name__ == "__main__":
    sys.exit(main())
