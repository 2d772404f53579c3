from django.apps import AppConfig


class JobsAppConfig(AppConfig):
    name = "jobs_app"
    verbose_name = "Holdfast"

    def ready(self) -> None:
        # These need the models, which are there only now.
        from jobs_app.pages import vital_signs
        from jobs_app.stores.collections import COLLECTIONS
        from storage_app.records import configured

        configured.declare(*COLLECTIONS)
        vital_signs.wire()
