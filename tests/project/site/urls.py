from django.urls import path

from tests.project.site import views

urlpatterns = [
    path("environ/<path:rest>", views.environ),
    path("body", views.body),
    path("large/body", views.body),
    path("slow", views.slow),
    path("rows", views.rows),
    path("file", views.file),
    path("later", views.later),
    path("fails-later", views.fails_later),
    path("events", views.events),
    path("endless-rows", views.endless_rows),
    path("seen", views.seen),
    path("marks/<name>", views.mark),
    path("connections", views.connections),
    path("fails", views.fails),
]
