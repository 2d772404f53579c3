from django.apps import AppConfig


class StorageAppConfig(AppConfig):
    name = "storage_app"
    verbose_name = "Storage"

    def ready(self) -> None:
        from storage_app import checks  # noqa: F401 - being imported is what registers them
