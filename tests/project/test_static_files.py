"""Collecting for serving: one style sheet, hashed names that are all there."""

import json
import re
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import call_command

from project.static_files import bundle


def test_an_import_is_put_in_place_in_its_layer() -> None:
    entry = '@layer a, b;\n@import url("x/y.css") layer(b);\n'
    assert (
        bundle(entry, {"css/x/y.css": "p { color: red }\n"}.__getitem__)
        == "@layer a, b;\n@layer b {\np { color: red }\n}\n\n"
    )


def test_an_import_inside_an_import_is_refused() -> None:
    with pytest.raises(ValueError, match=r"y\.css imports"):
        bundle('@import url("y.css") layer(b);', lambda _: "@import url('z.css');")


def test_what_is_collected_is_whole(tmp_path: Path, settings: LazySettings) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "project.static_files.StaticFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0, ignore=["admin", "ninja"])
    names = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    sheet = (tmp_path / names["css/main.css"]).read_text()
    assert "@import" not in sheet
    assert ".badge" in sheet
    assert "--accent" in sheet
    entry = (tmp_path / names["js/main.js"]).read_text()
    modules = re.findall(r'import"\./([^"]+)"', entry)
    assert len(modules) == len(
        re.findall("^import", (Path(settings.ROOT) / "static/js/main.js").read_text(), re.MULTILINE)
    )
    assert all((tmp_path / "js" / module).exists() and module.count(".") == 2 for module in modules)
