"""Loaded before Django's settings: every test run has a data folder of its own and no settings of the caller's."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from project import config

for name in [name for name in os.environ if name.startswith("HOLDFAST_") or name in config.KNOWN]:
    del os.environ[name]

DATA_DIR = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
(DATA_DIR / "static").mkdir()  # where collected static files would be
(DATA_DIR / "empty.env").touch()
os.environ["HOLDFAST_DATA_DIR"] = str(DATA_DIR)
os.environ["HOLDFAST_ENV_FILE"] = str(DATA_DIR / "empty.env")
if "TEST_DATABASE_URL" in os.environ:  # see tests/project/test_postgresql.py
    os.environ["HOLDFAST_DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
