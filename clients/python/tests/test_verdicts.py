"""The table of tests/verdicts.json: a token, a place and how it comes there have one verdict, whoever is asked. A small gateway
of somebody's own stands here for all that are written in Python."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog_gateway import Catalog, Client, Gateway, Proof, Refusal, TrustedProxies, bearer
from server import AUDIENCE, ISSUER, PATIENCE, SECRET, Server, altered, claims_of, forged, until

pytestmark = pytest.mark.server

PROXIES = TrustedProxies(["127.0.0.1"])


def table() -> dict[str, Any]:
    said: dict[str, Any] = json.loads(Path(os.environ["CATALOG_VERDICTS"]).read_text())
    return said


class App(ThreadingHTTPServer):
    """A service behind a gateway: 204 to whoever passes."""

    daemon_threads = True

    def __init__(self, gateway: Gateway, places: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.gateway = gateway
        self.places = {place["path"]: place for place in places.values()}


class Handler(BaseHTTPRequestHandler):
    server: App

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def judge(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        place = self.server.places[self.path.partition("?")[0]]
        address = PROXIES.client(self.client_address[0], self.headers.get_all("X-Forwarded-For", []))
        try:
            verified = self.server.gateway.verify(
                bearer(self.headers.get_all("Authorization", [])),
                permission=place.get("permission"),
                server_id=place.get("server_id"),
                address=address,
                takes_out_of_band=place.get("out_of_band") != "deny",
            )
        except Refusal as refusal:
            self.answer(refusal.status, {"code": refusal.code}, refusal.challenge)
        else:
            assert verified.issuance is not None
            self.answer(200, {"subject": verified.claims.sub, "path": verified.issuance.path})

    def answer(self, status: int, said: dict[str, str], challenge: str | None = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if challenge is not None:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = judge


def make(server: Server, how: dict[str, Any], made: dict[str, str]) -> str:
    match how:
        case {"shell": flags}:
            return server.cli("issue", "--dev", *flags)
        case {"forge": of, "claims": changed}:
            return forged(made[of], **changed)
        case {"alter": of}:
            return altered(made[of])
        case {"issue": body}:
            return issued(server, dict(body), how)
        case _:
            raise AssertionError(how)


def issued(server: Server, body: dict[str, Any], how: dict[str, Any]) -> str:
    if "permissions_many" in how:
        body["scopes"] = {
            "permissions": [f"tools.{number:04}.read_it_all" for number in range(how["permissions_many"])]
        }
    body.update({"expires_in": how["expires_in"]} if "expires_in" in how else {})
    token: str = server.ask("POST", "/tokens", body)["access_token"]
    path = f"/tokens/{claims_of(token)['jti']}"
    match how.get("then"):
        case None:
            pass
        case "revoke":
            server.revoke(token)
        case "suspend":
            server.ask("POST", f"{path}/suspend", {})
        case "resume":
            server.ask("POST", f"{path}/suspend", {})
            server.ask("POST", f"{path}/resume", {})
        case "rotate":
            server.ask("POST", f"{path}/rotate", {"overlap": "0s"})
        case "expire":
            until(lambda: time.time() >= claims_of(token)["exp"], "it is over")
        case other:
            raise AssertionError(other)
    return token


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Server, dict[str, str]]]:
    with Server(shares_secret=True) as server:
        made: dict[str, str] = {}
        # What is made of another comes after it.
        for name, how in sorted(table()["tokens"].items(), key=lambda token: "issue" not in token[1]):
            made[name] = make(server, how, made)
        yield server, made


@pytest.mark.parametrize("proof", [Proof.ISSUED, Proof.BOTH])
def test_a_gateway_has_the_verdicts_of_the_table(stage: tuple[Server, dict[str, str]], proof: Proof) -> None:
    server, tokens = stage
    said = table()
    secret = None if proof is Proof.ISSUED else SECRET
    with (
        Catalog(server.url, Client("edge", server.secret)) as catalog,
        Gateway(catalog, issuer=ISSUER, audience=AUDIENCE, proof=proof, secret=secret) as gateway,
        App(gateway, said["places"]) as app,
    ):
        assert gateway.loaded(PATIENCE)
        threading.Thread(target=app.serve_forever, args=(0.01,), daemon=True).start()
        wrong = []
        situations = [situation for situation in said["situations"] if situation.get("only") != "proxy"]
        # Twice: what was asked about once, and what is known.
        for situation in situations * 2:
            url = f"http://127.0.0.1:{app.server_address[1]}{said['places'][situation['place']]['path']}"
            answer = ask(url, tokens[situation["token"]], situation)
            if not is_as_told(situation, answer):
                wrong.append(f"{situation['what']}: {answer.status_code} {answer.text}")
        app.shutdown()

    assert len(situations) > 40
    assert not wrong, "\n".join(wrong)


def ask(url: str, token: str, situation: dict[str, Any]) -> httpx.Response:
    headers = [(name, value) for name, value in situation.get("headers", {}).items()]
    authorization = ("Authorization", f"Bearer {token}")
    match situation.get("present", "header"):
        case "header":
            headers += [authorization]
        case "twice":
            headers += [authorization, authorization]
        case "basic":
            headers += [("Authorization", "Basic ZWRnZTpodXNo")]
        case "cookie":
            headers += [("Cookie", f"access_token={token}")]
        case "query":
            url = f"{url}?access_token={token}"
        case other:
            assert other == "none"
    method, body = situation.get("method", "GET"), b"x" * 1_000 if "method" in situation else None
    with httpx.Client(transport=httpx.HTTPTransport(local_address=situation.get("from")), timeout=30) as http:
        return http.request(method, url, headers=headers, content=body)


def is_as_told(situation: dict[str, Any], answer: httpx.Response) -> bool:
    verdict, identity = situation["verdict"], situation.get("identity", {})
    statuses = verdict["status"] if isinstance(verdict["status"], list) else [verdict["status"]]
    said = answer.json()
    return (
        answer.status_code in statuses
        and said.get("code") == verdict.get("code", said.get("code"))
        and said.get("path") == identity.get("path", said.get("path"))
    )
