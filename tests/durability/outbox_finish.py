"""What a process does after one that was killed: `python -m tests.durability.outbox_finish FOLDER DEFINITION`.

Sends what the other one left, and tells every file as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.durability.outbox_process import ALIAS, PROJECT, finish, prepare


def main(folder: Path, definition: dict[str, Any]) -> None:
    prepare(folder, definition)
    finish()
    from storage_app import file_storages

    async def read(storages: Any) -> dict[str, str]:
        provider = storages.for_project(ALIAS, PROJECT)
        infos = await provider.list_files(recursive=True)
        return {info.path: (await provider.read_file(info.path)).content_text for info in infos}

    print(json.dumps(file_storages.run(read)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
