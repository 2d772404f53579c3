"""Imported by the process that the others are forks of: sets Django up and loads what they use. Nothing is opened."""

import gc
import importlib

from tests import databases

databases.set_up()
for name in (
    "jobs_app.services.operations",
    "jobs_app.stores.collections",
    "storage_app.records.database.store",
    "storage_app.records.file.store",
    "tests.contracts.backends",
):
    importlib.import_module(name)
gc.freeze()  # or each fork would, at its end, go through all that is loaded here
