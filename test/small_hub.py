"""A server on this machine that speaks what of the Hugging Face hub's protocol fetching uses."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubModel:
    """folder: its files. card: the head of its README. gated: only its description is given."""

    folder: Path
    card: dict[str, str] = field(default_factory=lambda: {"license": "apache-2.0"})
    gated: bool = False

    def files(self) -> dict[str, Path]:
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in found}


class SmallHub:
    """Use it in a ``with`` statement; ``asked`` are (method, path, Range) of all requests, and
    ``tokens`` (path, token) of those that came with one.

    stop_after: bytes of a large file after which the server says nothing more, as when a network
    goes away without a word. drop_after: after which it ends the connection, once.
    """

    def __init__(self) -> None:
        self.models: dict[str, HubModel] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.tokens: list[tuple[str, str]] = []
        self.stop_after: int | None = None
        self.drop_after: int | None = None
        self.ended = threading.Event()
        hub = self

        class Handler(_Handler):
            small_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{port}"
        self.store = f"http://localhost:{port}"  # large files are on another host than the hub
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> SmallHub:
        return self

    def __exit__(self, *_: Any) -> None:
        self.end()

    def be_known(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
        """As the hub to this process, and to those that it starts."""
        monkeypatch.setenv("HF_ENDPOINT", self.endpoint)
        monkeypatch.setenv("HF_HUB_CACHE", str(cache))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", self.endpoint)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        template = self.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)

    def end(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def given(self) -> list[tuple[str, str]]:
        """(file, Range) of the files whose content was asked for."""
        contents = [(path, part) for method, path, part in self.asked if method == "GET"]
        return [
            (path.rpartition("/")[2], part)
            for path, part in contents
            if path.startswith("/cdn/") or ("/resolve/" in path and not _large(path))
        ]


def _large(path: str) -> bool:
    """What a real repository has in its store of large files."""
    return path.endswith((".safetensors", ".bin", "tokenizer.json"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    small_hub: SmallHub

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.small_hub.asked.append((self.command, path, self.headers.get("Range", "")))
        if token := self.headers.get("Authorization"):
            self.small_hub.tokens.append((path, token.removeprefix("Bearer ")))
        parts = [part for part in path.strip("/").split("/") if part != "datasets"]
        if parts[0] == "api" and "models" not in parts:
            parts.insert(1, "datasets")
        if parts[0] == "api":
            self._describe("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "cdn":
            self._send_file(
                self.small_hub.models["/".join(parts[1:3])].files()["/".join(parts[3:])]
            )
        else:
            self._resolve("/".join(parts[:2]), "/".join(parts[4:]))

    def _describe(self, name: str, rest: list[str]) -> None:
        model = self.small_hub.models.get(name)
        if model is None:
            unknown = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            self._answer(401, {"error": "Repository not found"}, unknown)
            return
        files = [
            {
                "type": "file",
                "path": file,
                "rfilename": file,
                "size": path.stat().st_size,
                "oid": _sha1(path),
                "blobId": _sha1(path),
                **({"lfs": _lfs(path), "xetHash": _sha256(path)} if _large(file) else {}),
            }
            for file, path in model.files().items()
        ]
        if rest[:1] == ["tree"]:
            self._answer(200, files)
            return
        info = {"id": name, "modelId": name, "sha": COMMIT, "siblings": files, "tags": []}
        gated = "manual" if model.gated else False
        self._answer(200, {**info, "cardData": model.card, "gated": gated, "private": False})

    def _resolve(self, name: str, file: str) -> None:
        model = self.small_hub.models[name]
        if model.gated:
            self._answer(403, {"error": "restricted"}, {"X-Error-Code": "GatedRepo"})
            return
        path = model.files().get(file)
        if path is None:
            self._answer(404, {"error": "no"}, {"X-Error-Code": "EntryNotFound"})
        elif _large(file):
            size = str(path.stat().st_size)
            linked = {"X-Linked-Etag": f'"{_sha256(path)}"', "X-Linked-Size": size}
            place = f"{self.small_hub.store}/cdn/{name}/{file}"
            self._answer(302, {}, {"Location": place, "X-Repo-Commit": COMMIT, **linked})
        else:
            self._send_file(path, {"X-Repo-Commit": COMMIT, "ETag": f'"{_sha1(path)}"'})

    def _send_file(self, path: Path, headers: dict[str, str] | None = None) -> None:
        content = path.read_bytes()
        wanted = self.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        headers = {"Content-Length": str(len(content) - start), **(headers or {})}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.send_response(206 if wanted else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = self._cut(path)
        self.wfile.write(content[start:stop])
        self.wfile.flush()
        if stop is not None and stop < len(content):
            if self.small_hub.stop_after is not None:
                self.small_hub.ended.wait()
            self.close_connection = True

    def _cut(self, path: Path) -> int | None:
        """How far this file goes this time."""
        hub = self.small_hub
        if not path.name.endswith(".safetensors"):
            return None
        drop, hub.drop_after = hub.drop_after, None
        return hub.stop_after if drop is None else drop

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", **(headers or {})}
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()


def _lfs(path: Path) -> dict[str, Any]:
    digest = _sha256(path)
    size = path.stat().st_size
    return {"oid": digest, "sha256": digest, "size": size, "pointerSize": 134}
