"""What each worker of the server loads."""

import asyncio
import os

import django

from project.serving.front import Front


def application(loop: asyncio.AbstractEventLoop, threads: int) -> Front:
    """Sets Django up; the loop is the one that will serve."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from django.conf import settings

    return Front(
        loop,
        threads=threads,
        trusted_proxies=settings.CONFIG.trusted_proxies,
        body_limit=settings.BODY_LIMIT,
        body_limits=settings.BODY_LIMITS,
    )
