import json, pytest
from pathlib import Path
from ansible_collections.fleet.images.tests.support.engine_hosts import *
from ansible_collections.fleet.images.tests.support.forked_module import run_forked
def test_probe(dockerd, podman, containerd, registry, tmp_path):
    with podman.service() as service:
        cases = {
          "docker at podman": dict(engine="docker", docker_host=service.address),
          "docker at registry": dict(engine="docker", docker_host=f"tcp://{registry.host}"),
          "docker at containerd": dict(engine="docker", docker_host=f"unix://{containerd.address}"),
          "podman at docker": dict(engine="podman", docker_host=dockerd.address),
          "podman at registry": dict(engine="podman", docker_host=f"tcp://{registry.host}"),
          "podman at containerd": dict(engine="podman", docker_host=f"unix://{containerd.address}"),
          "containerd at docker": dict(engine="containerd", containerd_address=dockerd.address),
          "docker at dir": dict(engine="docker", docker_host=f"unix://{tmp_path}"),
          "containerd at dir": dict(engine="containerd", containerd_address=f"{tmp_path}"),
          "containerd timeout": dict(engine="containerd", containerd_address=containerd.address, executable="/bin/false"),
          "containerd none": dict(engine="containerd", containerd_address=containerd.address, executable="/bin/none"),
          "podman none": dict(engine="podman", executable="/bin/none"),
          "podman false": dict(engine="podman", executable="/bin/false"),
          "docker 1.30": dict(engine="docker", docker_host=dockerd.address, api_version="1.30"),
          "docker 1.99": dict(engine="docker", docker_host=dockerd.address, api_version="1.99"),
          "docker 1.10": dict(engine="docker", docker_host=dockerd.address, api_version="1.10"),
        }
        for what, options in cases.items():
            import time
            t0=time.monotonic()
            run = run_forked("image_pull", {"name": registry.reference("none"), "retry": 0, **({"store": str(tmp_path/"s")} if options["engine"]=="containerd" else {}), **options}, environment={} if "podman none"!=what and what!="podman false" else podman.environment)
            e = run.result.get("error", run.result)
            print(f"--- {what} {time.monotonic()-t0:.1f}s: {e.get('class')} {e.get('code')}\n   {run.result.get('msg')}")
