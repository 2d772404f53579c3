import gc

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "project"

    def ready(self) -> None:
        from project import health, job_metrics  # they need the models, which are there only now

        health.wire()
        job_metrics.wire()
        gc.freeze()
        gc.enable()  # manage.py had it off while all this was loaded
