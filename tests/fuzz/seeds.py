"""Writes the first inputs of the fuzz targets into corpus/, from tests/fixtures and our own proto. Run with build/venv's Python."""

import json
import struct
import sys
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"
sys.path.insert(0, str(HERE.parent / "e2e"))

from harness.client import event, usage_report  # noqa: E402
from harness.contract import pb  # noqa: E402


def write(target: str, name: str, data: bytes | str) -> None:
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


def compact(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"))


def responses() -> None:
    for file in sorted(FIXTURES.glob("*.json")):
        text = compact(file.read_text())
        if file.name.startswith(("edge-", "graphql-")):
            status = 2 if "unauthenticated" in file.name else 1 if "error" in file.name else 0
            write("upstream_json", file.stem, bytes([status]) + text.encode())
        elif file.name.startswith("ws-") and "client" not in file.name:
            message = json.loads(text)
            if "type" not in message:
                message = {"id": "1", "type": "next", "payload": message if "data" in message else {"data": message}}
            write("push", file.stem, json.dumps(message, separators=(",", ":")))
    for kind in ("connection_ack", "ping", "pong"):
        write("push", kind, json.dumps({"type": kind}))
    write("push", "error", '{"id":"1","type":"error","payload":[{"message":"Cannot query field \\"usageUpdatedV2\\""}]}')
    write("push", "complete", '{"id":"1","type":"complete"}')


def redis() -> None:
    dump = json.loads((FIXTURES / "redis-dump-v1-layout.json").read_text())

    def strings(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in strings(each)] + [compact(json.dumps(value))]
        if isinstance(value, list):
            return [text for each in value for text in strings(each)]
        return [value] if isinstance(value, str) and value[:1] in "{[" else []

    for i, text in enumerate(dict.fromkeys(strings(dump))):
        if len(text) < 8192:
            write("redis_values", f"dump-{i:02d}", text)
    write("redis_values", "usage", '{"currentUsage":3,"usagePeriodStart":"2026-11-01T00:00:00.000Z","usagePeriodEnd":null}')
    write("redis_values", "metadata", '{"accessDeniedReason":"CustomerNotFound"}')
    write("redis_values", "sibling", '1795255200000 1795255100000 0 {"credits":[],"changes":[]}')
    write("resp", "hello", "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n+OK\r\n")
    write("resp", "replies", "*3\r\n$3\r\nabc\r\n$-1\r\n:42\r\n_\r\n#t\r\n,3.5\r\n-ERR no\r\n(123\r\n=7\r\ntxt:abc\r\n")
    write("resp", "push", ">2\r\n$10\r\ninvalidate\r\n*1\r\n$7\r\ntest:c_\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n")
    write("resp", "nested", "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n~1\r\n+a\r\n|1\r\n+k\r\n+v\r\n:2\r\n")


def documents() -> None:
    write("fallbacks", "fixture", compact((FIXTURES / "offline-entitlements-fallback.json").read_text()))
    write("fallbacks", "every member", '{"f":{"hasAccess":true,"value":1.5,"usageLimit":10,"isUnlimited":false,"enumValues":["a","b"]}}')
    write("fallbacks", "single quotes", "{'f':{'hasAccess':true}}")
    write("fallbacks", "trailing comma", '{"f":{"hasAccess":true,},}')
    write("fallbacks", "twice", '{"f":{"hasAccess":true},"f":{"hasAccess":false,"hasAccess":1}}')
    world = {
        "features": {
            "seats": {"type": "metered", "units": "seat", "unitsPlural": "seats"},
            "flag": {"type": "boolean"},
            "size": {"type": "numeric", "units": "MB", "unitsPlural": "MB"},
            "regions": {"type": "enum"},
        },
        "plans": {"plan": {"seats": {"limit": 5, "reset": "month"}, "flag": {}, "size": {"value": 7}, "regions": {"values": ["eu"]}}},
        "customers": {"c": {"plan": "plan", "usage": {"seats": 3}, "resources": {"site": {"plan": "plan"}}}},
    }
    write("dev_data", "world", json.dumps(world))
    write("dev_data", "mistakes", '{"features":{"a":{"type":"meterd"}},"plans":{"p":{"b":{}}},"customers":{"c":{"plan":"q"}},"x":1}')


def snapshots() -> None:
    def piece(kind: str, payload: bytes) -> bytes:
        return kind.encode() + struct.pack("<H", len(payload)) + payload

    field = lambda number, data: bytes([number << 3 | 2, len(data)]) + data  # noqa: E731
    write("snapshot", "frames", piece("H", field(1, b"x")) + piece("F", field(1, b"seats") + field(2, b"Seats")) +
          piece("C", field(1, b"tokens")) + piece("R", field(1, b"customer") + b"\x18\x01") + piece("E", b"\x08\x01"))  # fmt: skip
    preamble = b"\x89SGSNP\r\n" + struct.pack("<I", 1)
    write("snapshot", "raw", b"raw" + preamble + struct.pack("<I", zlib.crc32(preamble)) + b"H\0\0\0\0")


def requests() -> None:
    checks = {"customer_id": "c", "feature_id": "feature-01"}
    every = [
        pb.GetEntitlementsRequest(customer_id="c", resource_id="site"),
        pb.GetEntitlementRequest(**checks, options=dict(requested_usage=1, requested_values=["a", "b"])),
        pb.GetBooleanEntitlementRequest(**checks, options=dict(fallback=dict(has_access=True))),
        pb.GetNumericEntitlementRequest(**checks, options=dict(fallback=dict(has_access=True, value=3))),
        pb.GetMeteredEntitlementRequest(**checks, options=dict(requested_usage=1e9)),
        pb.GetEnumEntitlementRequest(**checks, options=dict(requested_values=["eu"])),
        usage_report("c", "feature-01", 2, dimensions={"d": "x", "n": 1.5, "b": True}),
        pb.ReportEventsRequest(events=[event("login", "c", "key", dimensions={"user": "u"})]),
        pb.ReloadEntitlementsRequest(customer_id="c"),
        pb.ReportUsageBulkRequest(usages=[usage_report("c", "f", 1), usage_report("d", "f", 2)]),
        pb.GetEntitlementV2Request(customer_id="c", currency_id="tokens"),
        pb.GetEntitlementsStateV2Request(customer_id="c"),
    ]
    for method, request in enumerate(every):
        write("grpc_request", type(request).__name__, bytes([method, 0]) + request.SerializeToString())
    write("grpc_request", "metadata", bytes([4, 1]) + b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def http() -> None:
    heads = {
        "probe": "GET /livez HTTP/1.1\r\nHost: h\r\n\r\n",
        "query": "GET /admin/explain?customer=a%20b&feature=%zz HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\n\r\n",
        "post": "POST /admin/reload HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        "chunked": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "two": "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n",
        "upgrade": "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    }
    for name, text in heads.items():
        write("http1", name, "\x10" + text)


if __name__ == "__main__":
    for make in (responses, redis, documents, snapshots, requests, http):
        make()
