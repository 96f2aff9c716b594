"""A player of RTMP that shares no code with the server: plays what is recorded with a large buffer, so that it comes at
once, and hands it over as the FLV file that a recorder would write. RTMP 1.0 §5 (chunks), §7.2 (commands)."""

from __future__ import annotations

import os
import re
import socket
import struct

AUDIO, VIDEO, DATA, COMMAND, CONTROL = 8, 9, 18, 20, 4
BUFFER_MS = 3_600_000
# What it says that it plays, as Enhanced RTMP has it: everything (`*`: it can forward).
FOURCC_ANY = "*"


class Refused(Exception):
    """The server says no; its words."""


def play(host: tuple[str, int], app: str, name: str, start_ms: int = 0, seconds: float = 20) -> bytes:
    """The whole film from `start_ms` on, as FLV."""
    with socket.create_connection(host, timeout=seconds) as peer:
        player = _Player(peer)
        player.greet()
        player.say(0, "connect", 1, {"app": app, "tcUrl": f"rtmp://{host[0]}:{host[1]}/{app}", "fpad": False,
                                     "videoFunction": 1.0, "objectEncoding": 0.0, "fourCcList": [FOURCC_ANY],
                                     "capsEx": 4.0})
        player.wait_for("_result")
        player.say(0, "createStream", 2, None)
        player.wait_for("_result")
        player.send(2, CONTROL, 0, struct.pack(">HII", 3, 1, BUFFER_MS))
        player.say(1, "play", 3, None, name, float(start_ms))
        return player.listen()


class _Player:
    def __init__(self, peer: socket.socket):
        self.peer = peer
        self.chunk = 128
        self.pending = b""
        # For each chunk stream: time, delta, length, type, stream, what has come of the message.
        self.streams: dict[int, list] = {}
        self.read_bytes = self.told_bytes = 0
        self.window = 2_500_000

    def greet(self) -> None:
        noise = bytes(8) + os.urandom(1528)
        self.peer.sendall(b"\3" + noise)
        answer = self._take(1 + 2 * 1536)
        self.peer.sendall(answer[1:1537])

    def say(self, stream: int, *values) -> None:
        self.send(3, COMMAND, stream, b"".join(_amf(value) for value in values))

    def send(self, chunk_stream: int, kind: int, stream: int, body: bytes) -> None:
        head = bytes([chunk_stream]) + bytes(3) + len(body).to_bytes(3, "big") + bytes([kind]) + struct.pack("<I", stream)
        parts = [body[at:at + 128] for at in range(0, len(body), 128)]
        self.peer.sendall(head + bytes([0xC0 | chunk_stream]).join(parts))

    def wait_for(self, name: str) -> None:
        while True:
            kind, _, body = self._message()
            if kind == COMMAND:
                words = _strings(body)
                if any(name in word for word in words[:1]):
                    return
                if any("_error" in word or "close" in word for word in words[:1]):
                    raise Refused(" ".join(words))

    def listen(self) -> bytes:
        """Up to the end of what was asked for."""
        flv = [b"FLV\1\5\0\0\0\t\0\0\0\0"]
        while True:
            try:
                kind, time, body = self._message()
            except ConnectionError as error:
                raise Refused(f"the connection ended: {error}") from None
            if kind in (AUDIO, VIDEO) or kind == DATA and b"onMetaData" in body[:16]:
                if body:
                    flv.append(_tag(kind, time, body))
            words = _strings(body) if kind in (COMMAND, DATA) else []
            said = " ".join(words)
            if re.search(r"NetStream\.Play\.(Failed|StreamNotFound|FileStructureInvalid)|NetStream\.Seek", said):
                raise Refused(said)
            if re.search(r"NetStream\.Play\.(Stop|Complete)", said):
                return b"".join(flv)

    def _message(self) -> tuple[int, int, bytes]:
        while True:
            message = self._chunk()
            if message is None:
                continue
            kind, _, body = message
            if kind == 1:
                self.chunk = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
            elif kind == 5:
                self.window = int.from_bytes(body[:4], "big")
            else:
                return message

    def _chunk(self):
        first = self._take(1)[0]
        form, number = first >> 6, first & 63
        if number == 0:
            number = 64 + self._take(1)[0]
        elif number == 1:
            number = 64 + int.from_bytes(self._take(2), "little")
        state = self.streams.setdefault(number, [0, 0, 0, 0, 0, b"", 0])
        begins = not state[5]
        if form < 3:
            step = int.from_bytes(self._take(3), "big")
            if form < 2:
                state[2] = int.from_bytes(self._take(3), "big")
                state[3] = self._take(1)[0]
            if form == 0:
                state[4] = struct.unpack("<I", self._take(4))[0]
            state[6] = step
            state[1] = struct.unpack(">I", self._take(4))[0] if step == 0xFFFFFF else step
            state[0] = state[1] if form == 0 else state[0] + state[1]
        else:
            if state[6] == 0xFFFFFF:
                self._take(4)
            if begins:
                state[0] += state[1]
        state[5] += self._take(min(self.chunk, state[2] - len(state[5])))
        if len(state[5]) < state[2]:
            return None
        body, state[5] = state[5], b""
        return state[3], state[0] & 0xFFFFFFFF, body

    def _take(self, count: int) -> bytes:
        while len(self.pending) < count:
            more = self.peer.recv(1 << 18)
            if not more:
                raise ConnectionError("the server hung up")
            self.pending += more
            self.read_bytes += len(more)
            if self.read_bytes - self.told_bytes > self.window // 2:
                self.told_bytes = self.read_bytes
                self.send(2, 3, 0, struct.pack(">I", self.read_bytes & 0xFFFFFFFF))
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken


def _tag(kind: int, time: int, body: bytes) -> bytes:
    head = bytes([kind]) + len(body).to_bytes(3, "big") + (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24 & 255])
    return head + bytes(3) + body + struct.pack(">I", 11 + len(body))


def _amf(value) -> bytes:
    if value is None:
        return b"\5"
    if isinstance(value, bool):
        return bytes([1, value])
    if isinstance(value, (int, float)):
        return b"\0" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"\2" + struct.pack(">H", len(value.encode())) + value.encode()
    if isinstance(value, list):
        return b"\n" + struct.pack(">I", len(value)) + b"".join(_amf(item) for item in value)
    pairs = (struct.pack(">H", len(key)) + key.encode() + _amf(item) for key, item in value.items())
    return b"\3" + b"".join(pairs) + b"\0\0\t"


def _strings(body: bytes) -> list[str]:
    """What reads as text in it: enough to know a command and a status."""
    return [text.decode() for text in re.findall(rb"[\x20-\x7e]{4,}", body)]
