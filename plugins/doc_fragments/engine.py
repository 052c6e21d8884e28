# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options that choose where a host's images are."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine:
    description:
      - Where the images of the host are.
      - V(layout) is the embedded store, an OCI image layout directory that needs no daemon. C(skopeo), C(podman), C(buildah)
        and C(umoci) read it.
      - V(auto) takes the engine that is installed, and V(layout) only where there is none. This release drives no other
        engine than V(layout) yet. On a host with Docker, Podman or containerd, V(auto) therefore fails and says so, instead of
        silently filling a store that nothing runs from. Set V(layout) to use the embedded store beside them.
      - The result always names the engine as RV(engine).
    type: str
    choices: [auto, layout]
    default: auto
  store:
    description:
      - Directory of the embedded store, from V(/) or V(~) on. It is made by the first change, not by looking.
      - Without it, root uses C(/var/lib/fleet-images), everybody else C($XDG_DATA_HOME/fleet-images) or
        C(~/.local/share/fleet-images).
      - Several tasks may use one store at the same time.
    type: path
requirements:
  - Python 3.9 or newer on the target
notes:
  - The environment is read on the target, as the user that the task runs as. With C(become) that is the become user.
    The environment of the control node plays no part.
"""
