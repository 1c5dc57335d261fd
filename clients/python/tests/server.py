"""A real catalog on loopback, on its private PostgreSQL, in a throw-away directory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import httpx

# No secret of anybody's: this catalog lives for a minute. With it what was never issued can be signed here.
SECRET = "kR7vQ2mZp0XwT9sLc4HbN6yGfD1jUaE8"
ISSUER, AUDIENCE = "https://catalog.example.com", "gateway"
READY_SECONDS_MAX = 120.0
PATIENCE = 60.0


def until(is_so: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`catalog serve`. Its log begins with an administrator's token, and a client for gateways."""

    def __init__(self, *, port: int | None = None, shares_secret: bool = False) -> None:
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        self.home = Path(tempfile.mkdtemp(prefix="catalog-python-"))
        # The database's own account must be able to pass through.
        self.home.chmod(0o755)
        own = ("CATALOG_", "JWT_", "ENVIRONMENT", "DERIVE_KEY_PER_ENVIRONMENT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
        if "CATALOG_PG_BIN" in os.environ:
            kept["CATALOG_PG_BIN"] = os.environ["CATALOG_PG_BIN"]
        self._environment = {**kept, "CATALOG_DATA": str(self.home), "CATALOG_ISSUER": ISSUER, "CATALOG_LOG": "warn"}
        if shares_secret:
            self._environment["JWT_SECRET_KEY"] = SECRET
        self.binary = os.environ["CATALOG_BINARY"]
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        self.admin = self.cli("issue", "--dev", "--admin", "--sub", "root@localhost", "--aud", "catalog", "--ttl", "8h")
        self.secret = self.cli("clients", "add", "edge", "--permissions", "tokens.check")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            # Its database is stopped by whoever takes it over.
            self.start()
        self.stop()
        self._http.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        log = self.home / "serve.log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        process = self._process

        def is_up() -> bool:
            said = log.read_text(errors="replace")
            assert process.poll() is None, said
            return re.search(r"listening on http://", said) is not None

        until(is_up, "the server listens", READY_SECONDS_MAX)

    def stop(self) -> None:
        """As an operator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a machine does that breaks."""
        self._end(signal.SIGKILL)

    def _end(self, by: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(by)
        self._process.wait(60)
        self._process = None

    def freeze(self) -> None:
        """Nothing is answered, and nobody is told."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def back_up(self) -> Path:
        """Everything that it has, while it is stopped."""
        backup = self.home / "backup"
        backup.mkdir()
        for each in self.home.iterdir():
            if each != backup:
                subprocess.run(["cp", "-a", each, backup], check=True)
        return backup

    def restore(self, backup: Path) -> None:
        for each in self.home.iterdir():
            if each != backup:
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        for each in backup.iterdir():
            subprocess.run(["cp", "-a", each, self.home], check=True)

    def cli(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.binary, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"catalog {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        headers = {"Authorization": f"Bearer {self.admin}"}
        answer = self._http.request(method, path, headers=headers, json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def issue(self, sub: str = "alice@example.com", **members: object) -> str:
        body = {"sub": sub, "aud": [AUDIENCE], "scopes": {"permissions": ["tools.read"]}, **members}
        token: str = self.ask("POST", "/tokens", body)["access_token"]
        return token

    def revoke(self, token: str) -> None:
        self.ask("DELETE", f"/tokens/{claims_of(token)['jti']}")


def claims_of(token: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(_unbase64(token.split(".")[1]))
    return said


def kid_of(token: str) -> str:
    kid: str = json.loads(_unbase64(token.split(".")[0]))["kid"]
    return kid


def forged(token: str, **changed: object) -> str:
    """The claims of a token, some of them changed, signed with the catalog's own secret."""
    header = token.split(".")[0]
    signed = f"{header}.{_base64(json.dumps({**claims_of(token), **changed}).encode())}"
    return f"{signed}.{_base64(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"


def altered(token: str) -> str:
    """Another signature in place of a token's."""
    return token[:-4] + ("BBBB" if token.endswith("AAAA") else "AAAA")


def _base64(said: bytes) -> str:
    return base64.urlsafe_b64encode(said).rstrip(b"=").decode()


def _unbase64(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "==")
