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
from harness.http2 import (  # noqa: E402
    CANCEL, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, request_headers, request_message,
)


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


def http2() -> None:
    """The first byte: pieces of so many bytes, less one."""
    settings = frame(SETTINGS, 0, 0)
    check = pb.GetBooleanEntitlementRequest(customer_id="c", feature_id="f").SerializeToString()
    methods = ("GetBooleanEntitlement", "GetNumericEntitlement", "GetMeteredEntitlement", "GetEnumEntitlement", "ReportUsage")
    calls = b"".join(
        request_headers(1 + 2 * i, method, x_mine="gr\u00fc\u00df", grpc_timeout="5S") + request_message(1 + 2 * i, check)
        for i, method in enumerate(methods)
    )
    held = request_headers(1, "GetMeteredEntitlement") + request_message(1, check)
    health, reflection = "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"
    compressed = zlib.compress(check)
    every = {
        "calls": settings + calls,
        "reset": settings + held + frame(RST_STREAM, 0, 1, CANCEL) + frame(PING, 0, 0, b"01234567"),
        "unknown": settings + request_headers(1, "Nothing") + request_message(1, b""),
        "health": settings + request_headers(1, "Check", health) + request_message(1, b"") + request_headers(3, "Watch", health)
        + request_message(3, b"\n\x01x") + request_headers(5, "Watch", health) + request_message(5, b""),
        "reflection": settings + request_headers(1, "ServerReflectionInfo", reflection) + request_message(1, b":\x00"),
        "compressed": settings + request_headers(1, "GetBooleanEntitlement", grpc_encoding="deflate")
        + frame(DATA, END_STREAM, 1, struct.pack(">BI", 1, len(compressed)) + compressed),
        "windows": settings + held + frame(0x8, 0, 0, struct.pack(">I", 65535)) + frame(0x8, 0, 1, struct.pack(">I", 9)),
        "small_window": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 3)) + calls,
        "continuation": settings + frame(HEADERS, 0, 1, b"\x83\x86") + frame(0x9, END_HEADERS, 1, b"\x84"),
        "goaway": settings + held + frame(GOAWAY, 0, 0, bytes(8)),
    }
    for name, data in every.items():
        write("http2", name, b"\xff" + data)
    write("http2", "calls_in_pieces", b"\x06" + every["calls"])


if __name__ == "__main__":
    for make in (responses, redis, documents, snapshots, requests, http, http2):
        make()
