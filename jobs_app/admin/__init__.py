"""The admin site: data fixes by those who run the server, on the ORM's tables and on records alike."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver

from jobs_app.admin import records, tables

__all__ = ["tables"]

_own_urls, _own_apps = admin.site.get_urls, admin.site.get_app_list


def _urls() -> list[URLPattern | URLResolver]:
    return [*records.urls(), *_own_urls()]


def _apps(request: HttpRequest, app_label: str | None = None) -> list[Any]:
    """Records stand first: they are what data fixes are mostly about."""
    apps = list(_own_apps(request, app_label))
    return [records.listing(), *apps] if app_label in (None, records.ALL_KINDS) else apps


admin.site.get_urls = _urls  # type: ignore[method-assign]
admin.site.get_app_list = _apps  # type: ignore[method-assign]
