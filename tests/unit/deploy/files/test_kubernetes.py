"""The manifests for Kubernetes: valid by their schemas, and consistent with what they run."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from shared.event_log.keys import BROKER_PREFIX
from shared.settings import Settings
from shared.task_queue import RUNS
from tests.unit.deploy.files.manifests import (
    BASE,
    KUBERNETES,
    Manifest,
    container,
    documents,
    of_kind,
    pods,
    resources,
    settings,
)

VERSIONS = ("1.29", "1.33")  # the oldest that is named in deploy/README.md, and a recent one
ROLES = {"web", "worker", "maintenance", "beat", "flower", "migrate"}
OWN = [*resources(), *documents(KUBERNETES / "ingress.yaml")]
PROBED = ["worker", "maintenance", "beat"]


def named(one: Manifest) -> str:
    return f"{one['kind']}-{one['metadata']['name']}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", OWN, ids=named)
def test_every_manifest_is_valid_by_its_schema_without_unknown_fields(
    one: Manifest, version: str
) -> None:
    kubernetes_validate.validate(one, version, strict=True)


def test_a_field_that_is_misspelt_is_found() -> None:
    (service,) = of_kind("Service")
    wrong = {**service, "spec": {**service["spec"], "selektor": {}}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_every_role_runs_and_every_file_is_listed() -> None:
    assert dict(pods()).keys() == ROLES
    (kustomization,) = documents(BASE / "kustomization.yaml")
    here = {file.name for file in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == here


@pytest.mark.parametrize("role", sorted(ROLES))
def test_a_pod_may_do_nothing_that_its_role_does_not_need(role: str) -> None:
    pod, one = dict(pods())[role], container(role)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert one["args"] == [role]
    assert "memory" in one["resources"]["limits"]
    written = {mount["mountPath"] for mount in one["volumeMounts"]}
    assert written == {"/var/lib/holdfast", "/tmp"}


@pytest.mark.parametrize("role", PROBED)
def test_a_role_without_a_port_is_asked_by_the_command(role: str) -> None:
    one = container(role)
    for kind, probe in (("live", "livenessProbe"), ("ready", "readinessProbe")):
        assert one[probe]["exec"]["command"] == ["holdfast", "probe", kind, role]


def test_a_web_process_is_asked_at_its_port() -> None:
    one = container("web")
    assert one["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_pods_get_the_time_that_their_drains_take() -> None:
    found = Settings.load(settings())
    grace = {role: pod["terminationGracePeriodSeconds"] for role, pod in pods()}
    pause = int(container("web")["lifecycle"]["preStop"]["exec"]["command"][1])
    assert grace["web"] >= pause + found.web_drain.total_seconds() + 10
    assert grace["worker"] >= found.drain.total_seconds() + 20


def test_every_selector_finds_pods() -> None:
    roles = {one["metadata"]["name"].removeprefix("holdfast-") for one in of_kind("Deployment")}
    for one in of_kind("Service", "PodDisruptionBudget", "Deployment"):
        found = selector(one)["app.kubernetes.io/component"]
        assert found in roles, named(one)


def selector(one: Manifest) -> dict[str, Any]:
    found = one["spec"]["selector"]
    labels: dict[str, Any] = found.get("matchLabels", found)
    return labels


def test_autoscalers_keep_enough_for_a_disruption_and_own_the_number() -> None:
    deployments = {one["metadata"]["name"]: one for one in of_kind("Deployment")}
    scaled = of_kind("HorizontalPodAutoscaler")
    assert {one["metadata"]["name"] for one in scaled} == {"holdfast-web", "holdfast-worker"}
    for one in scaled:
        assert one["spec"]["minReplicas"] >= 2
        assert "replicas" not in deployments[one["spec"]["scaleTargetRef"]["name"]]["spec"]


def test_keda_counts_the_queue_of_runs_and_replaces_the_autoscaler_of_workers() -> None:
    (scaled,) = documents(KUBERNETES / "keda" / "scaled-object.yaml")
    assert scaled["spec"]["scaleTargetRef"]["name"] == "holdfast-worker"
    (redis,) = [one for one in scaled["spec"]["triggers"] if one["type"] == "redis"]
    assert redis["metadata"]["listName"] == f"{BROKER_PREFIX}{RUNS}"
    (kustomization,) = documents(KUBERNETES / "keda" / "kustomization.yaml")
    (patch,) = kustomization["patches"]
    assert patch["target"] == {"kind": "HorizontalPodAutoscaler", "name": "holdfast-worker"}
    assert "$patch: delete" in patch["patch"]


def test_network_policies_let_in_the_ingress_controller_and_prometheus_alone() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy")}
    assert policies["holdfast"]["ingress"] == []
    assert policies["holdfast"]["podSelector"]["matchLabels"]
    ports = {
        name: [port["port"] for rule in spec["ingress"] for port in rule["ports"]]
        for name, spec in policies.items()
        if spec.get("ingress")
    }
    assert ports == {"holdfast-web": [8648], "holdfast-metrics": [9464]}
    assert settings()["METRICS_PORT"] == "9464"


@pytest.mark.parametrize("file", sorted(KUBERNETES.rglob("*")), ids=lambda f: f.name)
def test_no_secret_is_in_the_files(file: Path) -> None:
    if file.is_file():
        text = file.read_text("utf-8")
        assert not re.search(r"^kind: Secret$|AUTH_TOKEN=|PASSWORD=|API_KEY=", text, re.MULTILINE)
