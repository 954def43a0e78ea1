# The action's image. Builds with BuildKit and with the classic builder, which has no `RUN --mount` and no here-documents.
#
# Any Debian serves as the base. The default is the official Python image, by the digest of its index of platforms; a bare
# Debian (`--build-arg BASE_IMAGE=debian:trixie-slim`) gets Python from apt. See docs/performance.md for how it is renewed.
ARG BASE_IMAGE=python:3.13.15-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
# The date of every file made here, so that two builds from the same packages have the same layer of our own, bit by bit.
ARG SOURCE_DATE_EPOCH=1767225600

# What is asked of Debian: git, certificates, and Python where the base has none. Everything in this layer is part of the image.
FROM ${BASE_IMAGE} AS base
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ARG SOURCE_DATE_EPOCH
# Versions of Debian's packages are not pinned: a mere rebuild must bring in security fixes. Texts are left out of them, and of
# git what serves others or is written in Perl. Git's settings are for apps that ask it for their version, in a checkout that is
# another user's, with a HOME that the runner sets; our own git reads no configuration.
# What the builder itself put there is as old as /.dockerenv, where it makes one: on a busy machine seconds older than this.
# The official image has its standard library uncompiled: every start of a container would compile it anew.
# hadolint ignore=DL3008
RUN start="$(stat --format %Y /.dockerenv 2>/dev/null || date +%s)"; set -- ca-certificates git git-lfs; \
    command -v python3 >/dev/null || set -- "$@" python3; \
    { printf 'path-exclude=/usr/share/%s/*\n' doc gitweb info lintian locale man perl; \
      printf 'path-exclude=/usr/lib/git-core/git-%s\n' daemon http-backend http-fetch http-push imap-send shell; \
      printf 'path-exclude=%s\n' '/usr/bin/git-shell' '*/scalar' '/usr/lib/*/perl/*' '/usr/lib/*/libperl.so*'; \
      printf 'path-include=%s\n' '/usr/share/doc/*/copyright'; } >/etc/dpkg/dpkg.cfg.d/llm-eval-gate; \
    apt-get update -qq; \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; \
    ln -sf /usr/bin/git /usr/lib/git-core/git; \
    # Debian's git-lfs has written its settings, in a new order each time.
    true >/etc/gitconfig; \
    git config --system safe.directory '*'; \
    git config --system core.hooksPath /dev/null; \
    git config --system core.fsmonitor false; \
    git config --system advice.detachedHead false; \
    git config --system init.defaultBranch main; \
    git config --system filter.lfs.clean 'git-lfs clean -- %f'; \
    git config --system filter.lfs.smudge 'git-lfs smudge -- %f'; \
    git config --system filter.lfs.process 'git-lfs filter-process'; \
    git config --system filter.lfs.required true; \
    python3 -I -B -m compileall -q --invalidation-mode unchecked-hash \
      -x '/(ensurepip|idlelib|lib2to3|test|tests|tkinter|turtledemo|dist-packages|site-packages)/' \
      "$(python3 -I -B -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"; \
    # Emptied rather than removed: a removed file of the base leaves a mark with today's date.
    find /var/log /var/lib/dpkg /var/cache/debconf /var/cache/ldconfig -type f \
      \( -path '/var/log/*' -o -name '*-old' -o -name aux-cache \) -exec truncate --size 0 {} +; \
    rm -rf /tmp/* /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb; \
    # The two that are left out are mounted by the builder while it builds.
    find / -xdev ! -path /etc/hosts ! -path /etc/resolv.conf -newermt "@$((start - 1))" \
      -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

# What is asked of PyPI, and our own code: a virtual environment in /app. Only the folder /out of this stage goes on.
FROM base AS build
ARG SOURCE_DATE_EPOCH
# hadolint ignore=DL3008
RUN python3 -c 'import ensurepip' 2>/dev/null \
      || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; }; \
    python3 -m venv /pip && python3 -m venv --without-pip /app
COPY requirements/image.lock /
# Wheels only, with hashes: there is no compiler here. Types, headers and tests of packages are of no use at run time.
RUN /pip/bin/pip --python /app/bin/python install --quiet --no-cache-dir --no-compile --no-deps --require-hashes \
      --only-binary :all: --disable-pip-version-check --root-user-action ignore --requirement /image.lock; \
    site="$(/app/bin/python -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"; \
    echo /app >"$site/llm-eval-gate.pth"; \
    find "$site" -type d \( -name tests -o -name include -o -name f2py \) -prune -exec rm -r {} +; \
    find "$site" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.a' \) -delete; \
    find /app/bin -mindepth 1 ! -name 'python*' ! -name 'uv*' -exec rm {} +; \
    mkdir -p /out/usr/local/bin; \
    ln -s /app/bin/uv /app/bin/uvx /out/usr/local/bin/; \
    printf '%s\n' '#!/app/bin/python -I' 'import sys' 'from evaluator.cli.main import main' 'sys.exit(main())' \
      >/out/usr/local/bin/llm-eval-gate; \
    chmod 755 /out/usr/local/bin/llm-eval-gate
COPY evaluator /app/evaluator
COPY templates /app/templates
COPY examples /app/examples
COPY entrypoint.py /app/
# Bytecode of all but two packages of which nothing or little is imported.
RUN /app/bin/python -I -m compileall -q --invalidation-mode unchecked-hash -x '/(openai|pygments)/' /app; \
    chmod -R u=rwX,go=rX /app; \
    mv /app /out/; \
    find /out -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM base
ARG VERSION=dev
ARG REVISION=unknown
ARG SOURCE_URL=unknown
LABEL org.opencontainers.image.title="llm-eval-gate" \
      org.opencontainers.image.description="Runs an LLM app as it was and as it would be on a golden set, and gates the change" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE_URL}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV LANG=C.UTF-8
COPY --from=build /out/ /
# Isolated (-I): a json.py in the user's workspace is never imported in place of Python's own. No USER and no WORKDIR, for the
# runner sets both; exec form and an absolute path, for the runner's shell could drop variables with hyphens.
ENTRYPOINT ["/app/bin/python", "-I", "/app/entrypoint.py"]
