"""Alerts and dashboard: promtool runs the rules; both speak of series that are documented, and of sections that exist."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
DASHBOARD = ROOT / "deploy/grafana/dashboard.json"

RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
TARGETS = [
    target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel.get("targets", [])
]


def promtool(*arguments: object) -> str:
    ended = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def documented() -> set[str]:
    return set(re.findall(r"(?:sidecar|process)_[a-z_]+", (ROOT / "docs/metrics.md").read_text()))


def test_the_rules_are_rules() -> None:
    assert f"{len(RULES)} rules found" in promtool("check", "rules", ALERTS)


def test_each_fires_on_a_broken_sidecar_and_none_on_a_healthy_one() -> None:
    promtool("test", "rules", ROOT / "deploy/prometheus/alerts_test.yaml")


def test_every_alert_is_tested_both_ways() -> None:
    tests = yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yaml").read_text())["tests"]
    names = {rule["alert"] for rule in RULES}
    for test in tests:
        assert {each["alertname"] for each in test["alert_rule_test"]} == names


@pytest.mark.parametrize("expression", [rule["expr"] for rule in RULES] + TARGETS)
def test_every_series_is_documented(expression: str) -> None:
    for name in re.findall(r"(?:sidecar|process)_[a-z_]+", expression):
        assert re.sub(r"_(bucket|sum|count)$", "", name) in documented(), name


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_section(rule: dict[str, dict[str, str]]) -> None:
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.*)$", (ROOT / file).read_text(), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    expressions = [expr.replace("$__rate_interval", "5m").replace("$instance", ".*") for expr in TARGETS]
    rules = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(expressions)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", file)


def test_the_readme_says_what_to_do_about_each() -> None:
    rows = re.findall(r"^\| `(StiggSidecar\w+)` \| \S", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == [rule["alert"] for rule in RULES]
