"""deploy/kubernetes: valid by Kubernetes' own schemas, locked down, and configured by settings that exist. Without helm."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "deploy/kubernetes").glob("*.yaml"))
VERSIONS = ["1.29", "1.37"]
"""The oldest with native sidecars, and the newest that the schemas know."""

Object = dict[str, Any]


def objects(file: Path) -> list[Object]:
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


def pods(file: Path) -> list[Object]:
    return [each["spec"]["template"]["spec"] for each in objects(file) if each["kind"] == "Deployment"]


def ours(pod: Object) -> list[Object]:
    every = pod.get("initContainers", []) + pod["containers"]
    return [each for each in every if each["name"] in ("stigg-sidecar", "cache-service")]


def settings() -> set[str]:
    """Of the reference in the README, which scripts/check compares with the binary."""
    return set(re.findall(r"^\| `([A-Z][A-Z0-9_]+)`", (ROOT / "README.md").read_text(), re.MULTILINE))


def test_there_is_one_for_each_mode() -> None:
    assert sorted(file.stem for file in FILES) == ["native-sidecar", "sidecar", "standalone", "standalone-redis"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_kubernetes_takes_them(file: Path, version: str) -> None:
    for each in objects(file):
        kubernetes_validate.validate(each, version, strict=True)


def test_a_mistake_would_be_noticed() -> None:
    (deployment,) = (each for each in objects(FILES[0]) if each["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["prots"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
class TestPods:
    def test_containers_meet_the_restricted_standard(self, file: Path) -> None:
        for pod in pods(file):
            assert pod["automountServiceAccountToken"] is False
            for container in ours(pod):
                context = container["securityContext"]
                assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 65532)
                assert context["readOnlyRootFilesystem"] is True
                assert context["allowPrivilegeEscalation"] is False
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert context["seccompProfile"] == {"type": "RuntimeDefault"}

    def test_a_low_port_is_opened_for_everybody_where_it_is_used(self, file: Path) -> None:
        for pod in pods(file):
            low = [port for each in ours(pod) for port in each["ports"] if port["containerPort"] < 1024]
            sysctls = pod["securityContext"].get("sysctls", [])
            assert bool(low) == (sysctls == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}])

    def test_probes_ask_ports_that_are_there(self, file: Path) -> None:
        for pod in pods(file):
            for container in ours(pod):
                ports = {port["name"]: port["containerPort"] for port in container["ports"]}
                environment = {each["name"]: each["value"] for each in container["env"]}
                assert ports["stigg-http"] == int(environment["HTTP_PORT"])
                if container["name"] == "stigg-sidecar":
                    assert ports["grpc"] == int(environment["PORT"])
                    assert ports["grpc-plain"] == int(environment["GRPC_PORT"])
                for kind, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
                    assert container[kind]["httpGet"] == {"path": path, "port": "stigg-http"}

    def test_every_variable_is_a_setting(self, file: Path) -> None:
        known = settings() | {f"{name}_FILE" for name in settings()}
        for pod in pods(file):
            for container in ours(pod):
                assert {each["name"] for each in container["env"]} <= known

    def test_no_secret_stands_there(self, file: Path) -> None:
        for pod in pods(file):
            for container in ours(pod):
                names = {each["name"] for each in container["env"]}
                assert not names & {"SERVER_API_KEY", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"}
                assert "SERVER_API_KEY_FILE" in names
                mounted = {each["name"] for each in container["volumeMounts"]}
                assert mounted <= {each["name"] for each in pod["volumes"]}

    def test_the_end_is_longer_than_the_drain(self, file: Path) -> None:
        for pod in pods(file):
            assert pod["terminationGracePeriodSeconds"] > 10
            assert pod["enableServiceLinks"] is False


def test_the_native_sidecar_keeps_running_beside_the_application() -> None:
    (pod,) = pods(ROOT / "deploy/kubernetes/native-sidecar.yaml")
    (sidecar,) = pod["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("stigg-sidecar", "Always")
    assert [each["name"] for each in pod["containers"]] == ["application"]


def test_with_a_cache_service_sidecars_hold_no_websocket() -> None:
    sidecar, service = sorted(
        (container for pod in pods(ROOT / "deploy/kubernetes/standalone-redis.yaml") for container in ours(pod)),
        key=lambda each: each["name"], reverse=True,
    )  # fmt: skip
    assert {"name": "WS_ENABLED", "value": "0"} in sidecar["env"]
    assert service["args"] == ["cache-service"]
    assert {"name": "REDIS_ENVIRONMENT_PREFIX", "value": "production"} in service["env"]


def test_selectors_find_what_they_select() -> None:
    for file in FILES:
        every = objects(file)
        labels = [each["spec"]["template"]["metadata"]["labels"] for each in every if each["kind"] == "Deployment"]
        for each in every:
            if each["kind"] == "Service":
                wanted = each["spec"]["selector"]
            elif each["kind"] in ("PodDisruptionBudget", "Deployment"):
                wanted = each["spec"]["selector"]["matchLabels"]
            else:
                continue
            assert sum(wanted.items() <= found.items() for found in labels) == 1, (file.name, each["kind"])
