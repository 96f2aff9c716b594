"""The binary under test on free ports, and plain HTTP."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import tempfile
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace").strip()


class Server:
    """Films of `media` at every door. Leaving the block ends the process and removes its data."""

    # Who watches a stream is let go soon after its publisher.
    SETTINGS = "[streams]\nreconnect_window_ms = 500\n[vod]\nfollow_symlinks = true\n"

    def __init__(self, binary: str, media: Path):
        self.data = Path(tempfile.mkdtemp(prefix="headwater-corpus-"))
        self.log_path = self.data / "server.log"
        self.log_file = open(self.log_path, "wb")
        settings = self.data / "headwater.toml"
        settings.write_text(self.SETTINGS)
        command = [binary, "serve", "-c", str(settings), "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0",
                   "--data", str(self.data / "data"), "--media", str(media)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log_file)
        for line in self.process.stdout:
            if line.startswith(b"Ready: "):
                rtmp, web = line.decode().removeprefix("Ready: ").split()[:2]
                self.rtmp = self._address(rtmp)
                self.http = self._address(web)
                return
        raise RuntimeError(f"the server does not start: {self.log()}")

    @staticmethod
    def _address(url: str) -> tuple[str, int]:
        parts = urllib.parse.urlsplit(url)
        return parts.hostname, parts.port

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        self.log_file.close()
        shutil.rmtree(self.data, ignore_errors=True)

    def lives(self) -> bool:
        return self.process.poll() is None

    def log(self) -> str:
        return self.log_path.read_text("utf-8", "replace")

    def resident_mb(self) -> float:
        """What the process holds of memory now."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0


@dataclass(frozen=True)
class Doors:
    """Where a server that runs can be reached; goes to other processes too."""

    binary: str
    http: tuple[str, int]
    rtmp: tuple[str, int]

    def get(self, path: str, headers: dict[str, str] | None = None, timeout: float = 30) -> Answer:
        connection = http.client.HTTPConnection(*self.http, timeout=timeout)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess:
        return subprocess.run([self.binary, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              env={**os.environ, "NO_COLOR": "1"})

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen([self.binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)


def address(name: str) -> str:
    return urllib.parse.quote(name)


def wait_until(what, seconds: float, step: float = 0.02) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(step)
    return False
