"""One step of a test with an outbox: `python -m tests.durability.outbox_step FOLDER DEFINITION migrate|finish`.

`finish` sends what a killed process left, and tells every file as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.durability.outbox_process import ALIAS, PROJECT, finish, migrate, prepare


def main(folder: Path, definition: dict[str, Any], step: str) -> None:
    prepare(folder, definition)
    if step == "migrate":
        migrate()
        return
    finish()
    from storage_app import file_storages

    async def read(storages: Any) -> dict[str, str]:
        provider = storages.for_project(ALIAS, PROJECT)
        infos = await provider.list_files(recursive=True)
        return {info.path: (await provider.read_file(info.path)).content_text for info in infos}

    print(json.dumps(file_storages.run(read)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
