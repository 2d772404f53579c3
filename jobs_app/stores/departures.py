"""Jobs and runs on their way out: what must follow them, should nobody live to see them off."""

from typing import Final

from storage_app.records.declarations import Collection

DEPARTURES: Final = Collection("departures")
