"""Upstream behind TLS with a private authority, and behind a corporate proxy (docs/protocol.md section 1.1)."""

from collections.abc import Iterator

import grpc
import pytest

from harness.certificates import CertificateAuthority
from harness.daemon import Daemons
from harness.failures import refusal
from harness.relay import Proxy, TlsFront
from independent_upstream import DropAfterProcessing, Upstream, operation


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def tls_front(upstream: Upstream, authority: CertificateAuthority) -> Iterator[TlsFront]:
    upstream.world.customer("c1").metered("seats", limit=5, usage=3)
    front = TlsFront(upstream.port, *authority.server("localhost", "api.stigg.test", "edge.api.stigg.test"))
    yield front
    front.close()


def over_tls(upstream: Upstream, url: str) -> dict[str, object]:
    return {"API_URL": url, "EDGE_API_URL": url, "SERVER_API_KEY": upstream.api_key}


def test_a_private_authority_is_trusted_when_it_is_named(
    upstream: Upstream, authority: CertificateAuthority, tls_front: TlsFront, daemon: Daemons
) -> None:
    url = f"https://localhost:{tls_front.port}"
    sidecar = daemon(EXTRA_CA_FILE=authority.ca_file, **over_tls(upstream, url))
    answer = sidecar.client.metered("c1", "seats")
    assert not answer.is_fallback
    assert answer.entitlement.current_usage == 3


def test_an_unknown_authority_is_refused(upstream: Upstream, tls_front: TlsFront, daemon: Daemons) -> None:
    sidecar = daemon(**over_tls(upstream, f"https://localhost:{tls_front.port}"))
    assert sidecar.client.metered("c1", "seats").is_fallback
    assert sidecar.metrics()["sidecar_network_request_errors_total"] >= 1
    assert not upstream.recorder.requests(lambda request: True)


def test_a_certificate_for_another_name_is_refused(
    upstream: Upstream, authority: CertificateAuthority, daemon: Daemons
) -> None:
    front = TlsFront(upstream.port, *authority.server("other.stigg.test"))
    url = f"https://localhost:{front.port}"
    sidecar = daemon(EXTRA_CA_FILE=authority.ca_file, **over_tls(upstream, url))
    assert sidecar.client.metered("c1", "seats").is_fallback
    assert not upstream.recorder.requests(lambda request: True)
    front.close()


def test_a_report_is_sent_once_when_the_connection_breaks_off_without_a_tls_goodbye(
    upstream: Upstream, authority: CertificateAuthority, tls_front: TlsFront, daemon: Daemons
) -> None:
    sidecar = daemon(
        EXTRA_CA_FILE=authority.ca_file,
        UPSTREAM_API="v1",
        **over_tls(upstream, f"https://localhost:{tls_front.port}"),
    )
    assert sidecar.client.report_usage("c1", "seats", 1).current_usage == 4
    lost = upstream.faults.inject(operation("ReportUsage"), DropAfterProcessing())
    refused = refusal(lambda: sidecar.client.report_usage("c1", "seats", 1))
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    assert lost.hits == 1
    assert upstream.world.usage("c1", "seats") == 5


def test_a_proxy_is_used_for_tls_targets(
    upstream: Upstream, authority: CertificateAuthority, tls_front: TlsFront, daemon: Daemons
) -> None:
    proxy = Proxy(tls_front.port)
    sidecar = daemon(
        EXTRA_CA_FILE=authority.ca_file,
        HTTPS_PROXY=f"http://user:pass%20word@127.0.0.1:{proxy.port}",
        API_URL="https://api.stigg.test",
        SERVER_API_KEY=upstream.api_key,
    )
    assert sidecar.client.metered("c1", "seats").entitlement.current_usage == 3
    usage = sidecar.client.report_usage("c1", "seats", 1)
    assert usage.current_usage == 4
    assert sidecar.client.reload("c1").entitled_entity_exists
    targets = {head.split()[1] for head in proxy.heads}
    assert targets == {"edge.api.stigg.test:443", "api.stigg.test:443"}
    assert all("Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in head for head in proxy.heads)
    assert all(upstream.api_key not in head for head in proxy.heads), "the key must travel inside TLS only"
    proxy.close()


def test_a_proxy_is_used_for_plain_targets(upstream: Upstream, daemon: Daemons) -> None:
    upstream.world.customer("c1").metered("seats", limit=5, usage=3)
    proxy = Proxy(upstream.port)
    sidecar = daemon(
        HTTP_PROXY=f"http://127.0.0.1:{proxy.port}", API_URL="http://api.stigg.test", SERVER_API_KEY=upstream.api_key
    )
    assert sidecar.client.metered("c1", "seats").entitlement.current_usage == 3
    assert proxy.heads
    assert all(head.startswith("GET http://edge.api.stigg.test/v1/") for head in proxy.heads)
    proxy.close()


def test_loopback_targets_use_no_proxy(upstream: Upstream, daemon: Daemons) -> None:
    upstream.world.customer("c1").metered("seats", limit=5, usage=3)
    sidecar = daemon(upstream, HTTP_PROXY="http://127.0.0.1:9", HTTPS_PROXY="http://127.0.0.1:9")
    assert not sidecar.client.metered("c1", "seats").is_fallback
