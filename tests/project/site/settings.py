"""The product's settings over a few views that show what the server does."""

from project.settings import *  # noqa: F403

ROOT_URLCONF = "tests.project.site.urls"
BODY_LIMIT = 100_000
BODY_LIMITS = {"/large/": 20_000_000}
