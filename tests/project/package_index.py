"""A package index on a port of this machine, with wheels of a few lines; its downloads can be held back."""

import hashlib
import io
import threading
import zipfile
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class PackageIndex:
    def __init__(self) -> None:
        self.wheels: dict[str, bytes] = {}
        self.downloads: Counter[str] = Counter()
        self.asked = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def add(self, name: str, version: str, modules: dict[str, str]) -> str:
        """Puts a wheel on the shelf and gives its line for a lock."""
        file, content = f"{name}-{version}-py3-none-any.whl", _wheel(name, version, modules)
        self.wheels[file] = content
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"

    def page(self, name: str) -> bytes:
        files = (file for file in self.wheels if file.startswith(f"{name}-"))
        return "".join(f'<a href="/files/{file}">{file}</a>' for file in files).encode()

    def _handler(index: Self) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, kind, name, *_ = self.path.split("/")
                if kind == "files":
                    index.asked.set()
                    index.open.wait(timeout=600)
                    index.downloads[name] += 1
                body = index.wheels.get(name, b"") if kind == "files" else index.page(name)
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html" if kind == "simple" else "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except ConnectionError:
                    self.close_connection = True  # the one who asked was killed, as the test wants it

            def log_message(self, *_: object) -> None:
                """Not on the terminal."""

        return Handler


def _wheel(name: str, version: str, modules: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    about = f"{name}-{version}.dist-info"
    files = modules | {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in (files | {f"{about}/RECORD": record}).items():
            archive.writestr(path, text)
    return buffer.getvalue()
