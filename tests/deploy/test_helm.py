"""The Helm chart, by helm itself: every mode renders, wrong values are refused, and deploy/kubernetes is what it renders."""

import os
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/stigg-sidecar"
HELM = ROOT / "build/tools/helm"

VALUES = [
    "mode=standalone",
    "mode=standalone,autoscaling.enabled=false,podDisruptionBudget.enabled=false,networkPolicy.enabled=false",
    "mode=standalone,podMonitor.enabled=true",
    "mode=standalone,ports.plaintextGrpc=0,tls.existingSecret=certificate,tls.clientCa=ca.crt",
    "mode=standalone,redis.environmentPrefix=production,redis.passwordSecret.name=redis,cacheService.enabled=true",
    "mode=standalone,config.ENTITLEMENTS_TTL_SECS=7,config.EDGE_ENABLED=false",
    "mode=sidecar",
    "mode=sidecar,ports.plaintextGrpc=8080,ports.http=9090",
    "mode=nativeSidecar,redis.environmentPrefix=production",
]


def helm(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Built by hand it takes itself for one of an ancient Kubernetes."""
    command = [HELM, *map(str, arguments), "--kube-version", "1.31.0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def rendered(values: str) -> list[dict[str, object]]:
    made = helm("template", "release", CHART, "--set", values)
    assert made.returncode == 0, made.stderr
    return [each for each in yaml.safe_load_all(made.stdout) if each]


@pytest.mark.parametrize("values", VALUES)
def test_lint_finds_nothing(values: str) -> None:
    checked = helm("lint", "--strict", CHART, "--set", values)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("values", VALUES)
def test_every_combination_is_valid(values: str) -> None:
    for each in rendered(values):
        if each["kind"] != "PodMonitor":  # the operator's, not Kubernetes'
            kubernetes_validate.validate(each, "1.37", strict=True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("mode=beside", "mode"),
        ("ports.grpc=0", "grpc"),
        ("ports.grpc=70000", "grpc"),
        ("config.SERVER_API_KEY=secret", "SERVER_API_KEY"),
        ("config.PORT=1", "PORT"),
        ("terminationGracePeriodSeconds=5", "terminationGracePeriodSeconds"),
        ("apiKey.existingSecret=", "existingSecret"),
        ("replica=3", "replica"),
        ("cacheService.enabled=true", "redis.environmentPrefix"),
    ],
)
def test_wrong_values_are_refused_by_name(values: str, said: str) -> None:
    made = helm("template", "release", CHART, "--set", values)
    assert made.returncode != 0
    assert said in made.stderr


def test_the_plain_manifests_are_what_it_renders(tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts/update-manifests"], check=True, timeout=120, env=os.environ | {"folder": str(tmp_path)})
    for file in (ROOT / "deploy/kubernetes").glob("*.yaml"):
        assert (tmp_path / file.name).read_text() == file.read_text(), "run scripts/update-manifests"
