"""The map of everything that is served."""

from django.urls import URLPattern, URLResolver, path

from jobs_app.pages import styleguide
from project.api import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", api.urls),
    path("styleguide/", styleguide.show, name="styleguide"),
]
