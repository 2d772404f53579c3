"""The product's settings, with all its middleware or with none, over one trivial call."""

import os

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.http_site.urls"
if os.environ.get("BENCH_MIDDLEWARE") == "none":
    MIDDLEWARE = []
