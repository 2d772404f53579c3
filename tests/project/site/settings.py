"""The product's settings over a few views that show what the server does, open to everybody."""

from project.settings import *  # noqa: F403
from project.settings import MIDDLEWARE as PRODUCT_MIDDLEWARE

ROOT_URLCONF = "tests.project.site.urls"
MIDDLEWARE = [name for name in PRODUCT_MIDDLEWARE if name != "project.login_gate.LoginGate"]
BODY_LIMIT = 100_000
BODY_LIMITS = {"/large/": 20_000_000}
