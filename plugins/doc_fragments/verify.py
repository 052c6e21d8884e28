# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the option that asks for signatures."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  verify:
    description:
      - Rules that say which images must be signed, and by whom. What registries answer is checked before anything is changed,
        in check mode too. An image that the host has already under this name is not asked for again.
      - For each image the most exact rule decides, which is the one whose O(verify[].pattern) has the most characters that
        are not V(*). With rules given, an image that none of them matches is refused.
      - Signatures are those that C(cosign sign --key) makes, in both of their forms. These are the tag
        C(sha256-<digest>.sig), and the bundle that refers to the image. They are read at the registry that the image's
        name says, never at a mirror. Transparency logs are not asked.
      - One signature that is right is enough. It may be over the index, or over the image of the platform.
      - Base images of builds that a registry is asked for are checked in the same way, also those with a digest.
    type: list
    elements: dict
    suboptions:
      pattern:
        description:
          - Which images the rule is for. V(redis) and V(redis:7) are one repository and one tag of it, V(ghcr.io/team) and
            V(ghcr.io) are all that lies below, and V(*) is every image.
          - A star stands for any characters but a slash, as in V(*.example.com) or V(ghcr.io/*/app).
        type: str
        required: true
      policy:
        description:
          - V(signed) wants a signature that one of the O(verify[].keys) made.
          - V(accept) takes the images without one.
          - V(reject) refuses the images.
          - V(content_trust) asks for a signature of Docker Content Trust (Notary v1). That form cannot be checked, so the
            images are refused with an error that says so.
        type: str
        choices: [signed, accept, reject, content_trust]
        default: signed
      keys:
        description:
          - Public keys, each as its text in PEM or as a path on the machine that the module runs on, from V(/) or V(~) on.
          - A key is of ECDSA P-256, as C(cosign generate-key-pair) makes it, of Ed25519, or of RSA with 2048 bits or more.
        type: list
        elements: str
      identity:
        description:
          - Which name the signature must carry, so that the signature of one image does not serve another.
          - V(repository) is the repository of the image, with any tag or none. The bundle form carries no name, and is taken
            without one.
          - V(exact) is the repository and the tag of the image. C(cosign) writes no tag unless it is told to.
          - V(any) looks at the digest alone, as C(cosign verify) does.
          - Anything else is the beginning of names, like V(ghcr.io/team), as images have it that were copied from there
            together with their signatures.
        type: str
        default: repository
  policy_file:
    description:
      - Path of a policy file on the machine that the module runs on, from V(/) or V(~) on, like
        V(/etc/containers/policy.json), in which podman, skopeo and CRI-O have their rules. It takes the place of O(verify).
      - Its entries for the transport C(docker) and its C(default) decide, as containers-policy.json(5) says. They are
        C(insecureAcceptAnything), C(reject), and C(sigstoreSigned) with a key and any C(signedIdentity).
      - An image in a scope that asks for GPG keys, certificates or a transparency log is refused with an error that says
        so. A file with members that are not known is refused as a whole.
      - Signatures are read beside the image at its registry, as with C(use-sigstore-attachments). The folders of
        containers-registries.d(5) play no part.
    type: path
requirements:
  - cryptography (Python library) on the machine that the module runs on, as soon as a signature is checked
"""
