# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build contexts that tests of native builds share: odd files, and a Dockerfile for each shape of build."""

from __future__ import annotations

import gzip
import io
import tarfile
import typing as t
from pathlib import Path


def write(folder: Path, files: t.Mapping[str, str | bytes]) -> Path:
    """Write files under ``folder``; a value that starts with ``->`` is a link, names ending in ``!`` are executable."""
    for name, content in files.items():
        path = folder / name.rstrip("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o755 if name.endswith("!") else 0o644)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    return folder


def odd_archive() -> bytes:
    """Return a gzip tar with links, owners and modes that no checkout has."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:

        def add(name: str, kind: bytes, **more: t.Any) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mtime = kind, 5, 6, 1_600_000_000
            body = more.pop("body", b"")
            info.size = len(body)
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(body))

        add("d", tarfile.DIRTYPE, mode=0o1770)
        add("d/file", tarfile.REGTYPE, mode=0o441, body=b"content")
        add("d/hard", tarfile.LNKTYPE, linkname="d/file", mode=0o441)
        add("d/soft", tarfile.SYMTYPE, linkname="../elsewhere", mode=0o777)
        add("implied/parent/" + "long" * 40, tarfile.REGTYPE, mode=0o600, body=b"x" * 1000)
    return raw.getvalue()


def packed(mode: t.Literal["w:", "w:xz", "w:bz2"], name: str) -> bytes:
    """Return a tar, compressed as ``mode`` says, of one file and a link to it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode=mode) as tar:
        info = tarfile.TarInfo(f"{name}/inner")
        info.size, info.mode, info.mtime = len(name), 0o640, 1_500_000_000
        tar.addfile(info, io.BytesIO(name.encode()))
        link = tarfile.TarInfo(f"{name}-link")
        link.type, link.linkname = tarfile.SYMTYPE, f"{name}/inner"
        tar.addfile(link)
    return raw.getvalue()


CONTEXT: dict[str, str | bytes] = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    "run.sh!": "#!/bin/sh\n",
    "app/main.py": "print()\n",
    "app/lib/one.py": "1\n",
    "app/lib/two.py": "2\n",
    "app/link": "->lib/one.py",
    "file-link": "->a.txt",
    "folder-link": "->app/lib",
    "näme with space/ünï.txt": "u\n",
    "logs/one.log": "1",
    "logs/keep.log": "k",
    "logs/deep/two.log": "2",
    "root/etc/passwd": "root:x:0:0::/:/bin/sh\nbob:x:77:88::/:/bin/sh\n",
    "root/etc/group": "root:x:0:\nstaff:x:99:\n",
    "root/usr/bin/tool!": "tool",
    "root/bin": "->usr/bin",
    "odd.tar.gz": odd_archive(),
    "more.tar.xz": packed("w:xz", "xz"),
    "more.tar.bz2": packed("w:bz2", "bz2"),
    "plain.tar": packed("w:", "plain"),
    "note.gz": gzip.compress(b"a note, and no archive\n", mtime=0),
    ".profile": "umask 022\n",
    ".config/tool.ini": "[tool]\n",
}


SHAPES = {
    "multi-stage": """
        FROM scratch AS one
        COPY app /srv/app
        WORKDIR /srv
        COPY --chown=7:8 a.txt made/by/copy/
        FROM scratch AS unused
        COPY b.txt /never
        FROM scratch
        COPY --from=one /srv /opt
        COPY --from=0 /srv/app/lib/one.py /srv/made/by/copy/a.txt /both/
        CMD ["/bin/true", "--flag"]
        """,
    "workdir-chain": """
        FROM scratch
        ENV BASE=/x EMPTY=
        WORKDIR $BASE
        WORKDIR y/../z
        WORKDIR .
        USER 5:6
        WORKDIR mine/too
        COPY a.txt b.txt ./
        """,
    "archives": """
        FROM scratch
        ADD odd.tar.gz /top/
        ADD odd.tar.gz a.txt /mixed/
        COPY odd.tar.gz /packed/
        FROM scratch
        ADD odd.tar.gz /
        """,
    "wildcards-and-links": """
        FROM scratch
        COPY *.txt /texts/
        COPY app/* /flat/
        COPY app/lib/?n[a-f].py /one.py
        COPY file-link /copied
        COPY file-link /under/
        COPY folder-link /folder
        COPY app /with-link
        COPY run.sh .
        COPY app/lib a.txt /folder/
        """,
    "owners": """
        FROM scratch
        COPY root /
        COPY --chown=bob a.txt /deep/er/bob
        COPY --chown=bob:staff app /app
        COPY --chown=9 a.txt /nine
        COPY --chown=1:2 --chmod=750 app/lib /modes/
        USER bob
        """,
    "replacing": """
        FROM scratch
        COPY root /
        COPY a.txt /bin/tool
        COPY b.txt /bin/
        COPY a.txt /etc/passwd
        COPY app/link /usr/bin/tool
        """,
    "words": """
        FROM scratch
        ARG NAME=world
        ARG OTHER
        ENV GREETING="hello $NAME" SINGLE='$NAME' ESCAPED=a\\ b
        ENV OLD form with  spaces
        ENV GREETING=changed COPY=$GREETING
        LABEL plain=$NAME "quoted key"="a b" single='$NAME' \\
              # a comment in between

              default=${MISSING:-none} plus=${NAME:+set} other=$OTHER
        ENV PATH=/opt:$PATH
        """,
    "settings": """
        FROM scratch
        EXPOSE 80 90/udp
        VOLUME /data /logs
        VOLUME ["/with space"]
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=1m30s --timeout=5s --retries=3 CMD ["/probe", "-q"]
        CMD echo "$HOME" && exit
        ENTRYPOINT ["/entry"]
        ONBUILD COPY a.txt /from-trigger
        USER 1000
        """,
    "ignored": """
        FROM scratch
        COPY . /all/
        COPY logs /logs
        """,
    "unicode-and-spaces": """
        FROM scratch
        COPY ["näme with space", "/dëst dir/"]
        COPY ["näme with space/ünï.txt", "a.txt", "/x y/"]
        """,
    "python-service": """
        ARG APP=/srv/app
        FROM scratch AS wheels
        ARG APP
        WORKDIR $APP
        COPY app/lib/*.py wheels/
        FROM scratch
        ARG APP
        ENV PYTHONUNBUFFERED=1 PYTHONPATH=$APP:${PYTHONPATH:-/usr/lib/python}
        WORKDIR $APP
        COPY --from=wheels $APP/wheels lib
        COPY app ./
        EXPOSE 8000/tcp 9000
        USER 10001:10001
        HEALTHCHECK --start-period=3s CMD python -c "import app"
        CMD ["python", "-m", "app"]
        """,
    "static-site": """
        FROM scratch AS build
        WORKDIR /site
        COPY . .
        FROM scratch
        LABEL maintainer="Web <web@example.org>"
        COPY --from=build --chown=101:101 /site/app /usr/share/nginx/html
        COPY root/etc/passwd root/etc/group /etc/
        COPY --from=build /site/a.txt /etc/nginx/conf.d/default.conf
        EXPOSE 80
        EXPOSE 443 80/tcp
        STOPSIGNAL SIGQUIT
        ENTRYPOINT ["/docker-entrypoint.sh"]
        CMD ["nginx", "-g", "daemon off;"]
        """,
    "go-binary": """
        ARG FINAL=scratch
        FROM scratch AS certs
        COPY a.txt /etc/ssl/certs/ca-certificates.crt
        FROM ${FINAL}
        COPY --from=certs /etc/ssl/certs /etc/ssl/certs
        COPY --chmod=0555 run.sh /bin/server
        USER 65532:65532
        ENTRYPOINT ["/bin/server"]
        CMD ["--listen=:8080"]
        """,
    "chosen-stage": """
        FROM scratch AS common
        ENV A=1 B=2
        COPY a.txt /common
        FROM common AS full
        COPY app /app
        FROM common AS slim
        ENV B=$A$B
        COPY b.txt /slim
        FROM slim AS final
        LABEL flavour=chosen
        COPY --from=full /app/lib /from-full
        """,
    "labels-and-args": """
        FROM scratch
        ARG VERSION=1.2.3
        ARG REVISION
        ARG CREATED="2026-01-01T00:00:00Z"
        LABEL org.opencontainers.image.version=$VERSION \\
              org.opencontainers.image.revision="${REVISION:-unknown}" \\
              org.opencontainers.image.created=$CREATED
        LABEL description="a text over \\
        two lines" empty=""
        LABEL org.opencontainers.image.version="${VERSION}-1"
        ENV APP_VERSION=${VERSION:+set} NEXT=${VERSION:-x}
        COPY a.txt /opt/app-${VERSION}/
        """,
    "entry-and-command": """
        FROM scratch AS base
        CMD ["from", "base"]
        ENTRYPOINT ["/base"]
        HEALTHCHECK CMD /probe
        FROM base AS middle
        ENTRYPOINT exec /middle "$@"
        FROM middle
        HEALTHCHECK NONE
        CMD run --all
        STOPSIGNAL 9
        SHELL ["/bin/ash", "-eo", "pipefail", "-c"]
        """,
    "packed-twice": """
        FROM scratch
        ADD more.tar.xz more.tar.bz2 /unpacked/
        ADD plain.tar /plain
        ADD note.gz /notes/
        COPY more.tar.xz /kept.tar.xz
        ADD --chown=3:4 note.gz /owned/
        """,
    "dots-and-slashes": """
        FROM scratch
        COPY ./app/. /dot
        COPY app/ /slash/
        COPY .profile .config/ /home/
        COPY /a.txt //double//slash
        COPY app/lib/../main.py ./up.py
        WORKDIR /work
        COPY a.txt .
        COPY app/lib ../beside
        ADD b.txt new/name
        """,
    "windows-line-ends": """
        FROM scratch\r
        # a comment\r
        COPY a.txt \\\r
            b.txt \\\r
            /both/\r
        ENV A=1\r
        WORKDIR /x\r
        CMD ["x"]\r
        """,
    "volumes-and-tools": """
        FROM scratch AS tools
        COPY root/usr/bin /bin
        COPY run.sh /bin/entry
        FROM tools
        COPY --from=tools /bin /usr/local/bin
        VOLUME /var/lib/data
        VOLUME ["/var/log", "/var/lib/data"]
        MAINTAINER nobody <nobody@example.org>
        """,
    "no-shell-form-lost": """
        # escape=`
        FROM scratch
        LABEL a=b`
          c=d
        CMD ["cmd", "/c:\\\\dir"]
        """,
}


def dedent(text: str) -> str:
    return "\n".join(line[8:] if line.startswith("        ") else line for line in text.strip("\n").splitlines())
