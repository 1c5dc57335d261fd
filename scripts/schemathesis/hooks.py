"""What the fuzzer cannot know of the catalog by its document: real tokens, and what no schema can say.

The one thing it must not do is to end the credential that it uses: every later answer would be 401, and all checks would
pass on nothing.
"""

import base64
import hashlib
import json
import os
import re
import urllib.request

import schemathesis
from hypothesis import strategies
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

URL, TOKEN = os.environ["CATALOG_CHECK_URL"], os.environ["CATALOG_CHECK_TOKEN"]
POSITION_MAX = 2**63 - 1
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(method, path, body=None):
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with OPENER.open(urllib.request.Request(URL + path, data, headers, method=method), timeout=30) as answer:
        return json.load(answer)


def issue(number):
    return ask("POST", "/tokens", {"sub": f"user{number}@example.com", "expires_in": 86400})


OWN = ask("GET", "/whoami")["credential"]
# Tokens to be asked about, and to be revoked instead of the credential.
ISSUED = [issue(number) for number in range(24)]
SPARE = iter(ISSUED * 1000)
HEAD = ISSUED[-1]["position"]
LIST = json.loads(base64.urlsafe_b64decode(ISSUED[0]["access_token"].split(".")[1] + "=="))["status"]["status_list"]["uri"].rpartition("/")[2]

schemathesis.openapi.format("uuid", strategies.sampled_from([one["token"]["jti"] for one in ISSUED]) | strategies.uuids().map(str))
schemathesis.openapi.format("ip-network", strategies.ip_addresses().map(str) | strategies.sampled_from(["10.0.0.0/8", "2001:db8::/32"]))
schemathesis.openapi.format("iana-time-zone", strategies.sampled_from(["UTC", "Europe/Zurich", "Asia/Kathmandu"]))


def is_negated(case, location):
    component = case.meta.components.get(location) if case.meta else None
    return component is not None and component.mode is GenerationMode.NEGATIVE


@schemathesis.hook
def before_call(context, case, kwargs):
    spare_the_credential(case)
    ask_for_positions_that_exist(case)
    if not is_negated(case, ParameterLocation.PATH):
        ask_for_a_list_that_exists(case)
    if not is_negated(case, ParameterLocation.QUERY):
        ask_for_a_past(case)
        # A cursor is made by the server and fits one listing only.
        case.query.pop("cursor", None)
        write_plainly(case, "query")
    if not is_negated(case, ParameterLocation.BODY):
        present_real_tokens(case)
        name_one_person(case)
        write_plainly(case, "body")
    if not is_negated(case, ParameterLocation.HEADER):
        name_requests_apart(case)


def spare_the_credential(case):
    """Whatever would end it is about another token: by its identifier, its subject or itself. Both were in answers, of
    which cases are made. A rule covers it as soon as it is wide, so rules are asked what they would do."""
    if case.operation.method.upper() == "GET":
        return
    spare = next(SPARE)
    instead = {OWN["jti"]: spare["token"]["jti"], OWN["sub"]: spare["token"]["sub"], TOKEN: spare["access_token"]}
    if case.path_parameters.get("jti") in instead:
        case.path_parameters["jti"] = instead[case.path_parameters["jti"]]
    if isinstance(case.body, dict):
        if (spared := replaced(case.body, instead)) != case.body:
            case.body = spared
        if ("where" in case.body or "all" in case.body) and case.body.get("dry_run", False) is False:
            case.body["dry_run"] = True


def replaced(value, instead):
    if isinstance(value, dict):
        return {key: replaced(member, instead) for key, member in value.items()}
    if isinstance(value, list):
        return [replaced(member, instead) for member in value]
    return instead.get(value, value) if isinstance(value, str) else value


def ask_for_positions_that_exist(case):
    """One past the head is answered 503 by design, which the check for server errors cannot know."""
    for name in ["min_position", *(["after"] if case.operation.path == "/audit/events" else [])]:
        asked = str(case.query.get(name, ""))
        if asked.isascii() and asked.isdigit() and HEAD < int(asked) <= POSITION_MAX:
            case.query[name] = int(asked) % HEAD


def ask_for_a_past(case):
    """No schema can say which times have come and which positions there are, or that a range goes forward."""
    pasts = {"from": ["@1", "2026-01-01T00:00:00Z"], "to": [f"@{HEAD}"], "as_of": [f"@{HEAD}"]}
    for name, instead in pasts.items():
        if name in case.query:
            case.query[name] = instead[len(str(case.query[name])) % len(instead)]


def ask_for_a_list_that_exists(case):
    """Every other time: nobody can guess an identifier."""
    if str(case.path_parameters.get("list", "f"))[-1] in "01234567":
        case.path_parameters["list"] = LIST


def write_plainly(case, part):
    """Without tag characters, which patterns cannot name, and with whole numbers written as such: 1.0 is an integer to
    JSON Schema only. What is set is judged anew, so nothing is set that stays as it is."""
    written = getattr(case, part)
    if (plainly := plain(written)) != written or repr(plainly) != repr(written):
        setattr(case, part, plainly)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, str):
        return re.sub("[\U000e0000-\U000e0fff]", "x", value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def present_real_tokens(case):
    """Every other form has a real token in it."""
    if isinstance(case.body, dict) and "token" in case.body and len(case.body["token"]) % 2:
        case.body["token"] = next(SPARE)["access_token"]


def name_requests_apart(case):
    """Another request under a key that was used is refused, so each request gets a key of its own, as long as it was."""
    if key := (case.headers or {}).get("idempotency-key"):
        request = repr((key, case.operation.label, case.path_parameters, case.body))
        own = hashlib.sha256(request.encode(errors="surrogatepass")).hexdigest() * 4
        case.headers["idempotency-key"] = own[: max(len(key), 16)]


def name_one_person(case):
    """A subject that is an address is the address: no schema can say that two members are equal."""
    body = case.body
    if isinstance(body, dict) and body.get("email") and "@" in str(body.get("sub")):
        body["email"] = body["sub"]
