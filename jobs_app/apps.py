from django.apps import AppConfig


class JobsAppConfig(AppConfig):
    name = "jobs_app"
    verbose_name = "Holdfast"

    def ready(self) -> None:
        from jobs_app.pages import vital_signs  # needs the models, which are there only now

        vital_signs.wire()
