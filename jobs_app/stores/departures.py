"""Jobs, runs and copies of texts on their way out: what must follow, should nobody live to see them off."""

from typing import Final

from storage_app.records.declarations import Collection

DEPARTURES: Final = Collection("departures")
