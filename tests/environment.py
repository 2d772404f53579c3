"""Loaded before Django's settings: every test run has a data folder of its own and no settings of the caller's."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

for name in [name for name in os.environ if name.startswith("HOLDFAST_")]:
    del os.environ[name]

DATA_DIR = tempfile.mkdtemp(prefix="holdfast-tests-")
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
os.environ["HOLDFAST_DATA_DIR"] = DATA_DIR
Path(DATA_DIR, "static").mkdir()
