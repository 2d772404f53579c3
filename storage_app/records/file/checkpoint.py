"""What a project must remember beside its records: written seldom, and durable when it is.

Up to which number of the journal all is durable in files; which numbers of sequences were given out; whether the index
was closed cleanly, since otherwise it is not trusted after the machine went down.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from storage_app import strict_json
from storage_app.records.errors import DamagedError
from storage_app.records.file.layer import FileLayer

FORMAT: Final = 1


@dataclass
class Checkpoint:
    settled: int = 0
    sequences: dict[str, int] = field(default_factory=dict)
    boot: str = ""
    clean: bool = False


def load(layer: FileLayer, folder: str) -> Checkpoint | None:
    data = layer.read(f"{folder}/checkpoint.json")
    if data is None:
        return None
    try:
        fields: dict[str, Any] = strict_json.loads_object(data)
        if fields.pop("format") != FORMAT:
            raise DamagedError(f"{folder}/checkpoint.json is of a format that this program does not know")
        return Checkpoint(**fields)
    except (strict_json.StrictJSONError, KeyError, TypeError) as error:
        raise DamagedError(f"{folder}/checkpoint.json cannot be read: {error}") from error


def save(layer: FileLayer, folder: str, checkpoint: Checkpoint) -> None:
    """Atomic and durable."""
    temporary = f"{folder}/checkpoint.new"
    layer.create(temporary, strict_json.dumps_bytes({"format": FORMAT, **asdict(checkpoint)}) + b"\n")
    layer.sync_file(temporary)
    layer.rename(temporary, f"{folder}/checkpoint.json")
    layer.sync_folder(folder)
