# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubernetes manifests: containers of every kind, image volumes, pods inside other objects, lists of objects."""

from __future__ import annotations

import json
import typing as t

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.image_sources import Sources

MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      initContainers: [{name: prepare, image: busybox:1}]
      containers:
        - {name: web, image: "ghcr.io/team/web:1.2@sha256:%s"}
        - {name: log, image: fluent/bit:3}
      ephemeralContainers: [{name: look, image: debug:1}]
      volumes:
        - {name: model, image: {reference: ghcr.io/team/model:7, pullPolicy: Always}}
        - {name: empty, emptyDir: {}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: night}
spec:
  jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: busybox:1}]}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {generateName: x-}
spec: {template: {spec: {containers: [{name: a, image: rolled:1}, {name: injected}]}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec: {versions: [{schema: {properties: {containers: {type: array}, image: {type: string}}}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {image: not-one, containers: none}
""" % ("a" * 64)


def test_images_of_pods_are_found_wherever_pods_are_described(sources: Sources) -> None:
    sources.write({"web.yaml": MANIFESTS})
    template = "spec.template.spec"
    assert sources.places("web.yaml") == {
        "busybox:1": [
            f"web.yaml: Deployment/web {template}.initContainers[0].image",
            "web.yaml: CronJob/night spec.jobTemplate.spec.template.spec.containers[0].image",
        ],
        f"ghcr.io/team/web:1.2@sha256:{'a' * 64}": [f"web.yaml: Deployment/web {template}.containers[0].image"],
        "fluent/bit:3": [f"web.yaml: Deployment/web {template}.containers[1].image"],
        "debug:1": [f"web.yaml: Deployment/web {template}.ephemeralContainers[0].image"],
        "ghcr.io/team/model:7": [f"web.yaml: Deployment/web {template}.volumes[0].image.reference"],
        "rolled:1": [f"web.yaml: Rollout {template}.containers[0].image"],
    }


def test_a_list_as_kubectl_prints_it_is_read(sources: Sources) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"image": "a:1"}]}}
    sources.write({"pods.json": json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod]}, indent="\t")})
    assert sources.places("pods.json") == {"a:1": ["pods.json: Pod/a spec.containers[0].image"]}


def test_anchors_that_go_in_circles_or_repeat_end(sources: Sources) -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: &s\n  containers: [{image: a:1}]\n  self: *s\n  again: [*s, *s, *s]\n"
    sources.write({"pod.yaml": text})
    assert list(sources.places("pod.yaml")) == ["a:1"]


def test_what_is_no_object_and_what_is_no_image_is_told(sources: Sources) -> None:
    sources.write({"pod.yaml": "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: {a: b}}]}\n---\nkind: Pod\n"})
    assert sources.problems({"path": "pod.yaml", "format": "kubernetes"}) == [
        "pod.yaml: Pod spec.containers[0].image: must be a text that names an image",
        "pod.yaml: document 2 is no object of Kubernetes: it lacks apiVersion and kind",
    ]
