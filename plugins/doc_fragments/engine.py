# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that choose where a host's images are, and how that is reached."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine:
    description:
      - Where the images of the host are.
      - V(docker), V(podman) and V(containerd) are the engines of these names. V(layout) is the embedded store, an OCI image
        layout directory that needs no daemon. C(skopeo), C(podman), C(buildah) and C(umoci) read it.
      - V(auto) takes the engine that is installed, in the order of the choices, and V(layout) only where there is none. These
        are the programs C(dockerd), C(podman) and C(containerd) in E(PATH) or in the folders of the system.
      - With V(auto), O(docker_host) in the task means V(docker). It means V(podman) if it is Podman's socket, or if Podman is
        installed and Docker is not. The environment does not choose the engine.
      - An engine that is installed and does not answer is an error. The task never takes another one instead.
      - The result always names the engine as RV(ignore:engine).
    type: str
    choices: [auto, docker, podman, containerd, layout]
    default: auto
  docker_host:
    description:
      - Address of Docker or Podman, like V(unix:///var/run/docker.sock), V(tcp://192.0.2.1:2375) or
        V(https://engine.example.com:2376).
      - Without it, Docker is looked for at E(DOCKER_HOST), then at V(unix:///var/run/docker.sock).
      - Without it, Podman is looked for at E(CONTAINER_HOST), then at the socket that systemd serves for this user. Where there
        is none, C(podman system service) is started on a private socket and ended with the task, so Podman needs no service.
    type: str
    aliases: [docker_url]
  tls:
    description:
      - Whether the connection to Docker over a network is encrypted. The certificate of the daemon is not checked, unless
        O(validate_certs) is set too. Without it E(DOCKER_TLS) is taken.
      - An address with V(https://) is encrypted, and checked, without it.
    type: bool
  validate_certs:
    description:
      - Whether the connection to Docker over a network is encrypted and the daemon's certificate is checked. Without it
        E(DOCKER_TLS_VERIFY) is taken.
      - For registries there is O(registry_validate_certs). Where the engine is not reached over a network, this option plays
        no part, and a warning says so.
    type: bool
    aliases: [tls_verify]
  tls_hostname:
    description:
      - Name that the certificate of the Docker daemon must bear. Without it, it is E(DOCKER_TLS_HOSTNAME), or the name in
        O(docker_host).
    type: str
  ca_path:
    description:
      - File on the target with the certificates of the authorities that the Docker daemon's certificate may come from.
      - Without it, it is C(ca.pem) in E(DOCKER_CERT_PATH), if that is there, or the authorities that the system trusts.
    type: path
    aliases: [ca_cert, tls_ca_cert, cacert_path]
  client_cert:
    description:
      - File on the target with the certificate to show to the Docker daemon. It needs O(client_key).
      - Without it, it is C(cert.pem) in E(DOCKER_CERT_PATH), if that is there.
    type: path
    aliases: [tls_client_cert, cert_path]
  client_key:
    description:
      - File on the target with the key of O(client_cert).
      - Without it, it is C(key.pem) in E(DOCKER_CERT_PATH), if that is there.
    type: path
    aliases: [tls_client_key, key_path]
  api_version:
    description:
      - Version of Docker's API to speak, like V(1.41). V(auto) takes the highest that both sides know. Without it
        E(DOCKER_API_VERSION) is taken, then V(auto).
    type: str
    aliases: [docker_api_version]
  timeout:
    description:
      - Seconds to wait for an answer of Docker, Podman or containerd, at least 1. It is for each wait, not for a whole pull.
        Without it E(DOCKER_TIMEOUT) is taken, then 60.
    type: int
  executable:
    description:
      - Name or path of C(podman), or with containerd of C(ctr). Without it, it is looked for by its name.
    type: str
  containerd_address:
    description:
      - Socket of containerd. Without it, it is E(CONTAINERD_ADDRESS), then V(/run/containerd/containerd.sock).
    type: str
  namespace:
    description:
      - Namespace of containerd that the images are in. Kubernetes uses V(k8s.io), Docker V(moby). Without it, it is
        E(CONTAINERD_NAMESPACE), then V(default).
    type: str
  store:
    description:
      - Directory of the embedded store, from V(/) or V(~) on. It is made by the first change, not by looking.
      - With containerd, downloads are kept in its folder C(staging) until they are complete.
      - Without it, root uses C(/var/lib/fleet-images), everybody else C($XDG_DATA_HOME/fleet-images) or
        C(~/.local/share/fleet-images).
      - Several tasks may use one store at the same time.
    type: path
requirements:
  - Python 3.9 or newer on the target
  - ctr (part of containerd) on the target, for containerd
notes:
  - The environment is read on the target, as the user that the task runs as. With C(become) that is the become user.
    The environment of the control node plays no part.
  - An option that an engine does not have is an error if the task names that engine. With O(engine=auto) such an option is for
    those hosts whose engine has it. An empty text takes back what C(module_defaults) set.
"""
