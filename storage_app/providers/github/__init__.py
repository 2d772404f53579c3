"""Files in a GitHub repository."""

from storage_app.providers.github.clock import Clock
from storage_app.providers.github.provider import GitHubStorageProvider
from storage_app.providers.github.snapshots import GitHubSnapshot

__all__ = ["Clock", "GitHubSnapshot", "GitHubStorageProvider"]
