# One image for the web server, the worker and the Batch containers. The command decides:
#
#   docker run IMAGE                                        the web server, on $PORT
#   docker run IMAGE python manage.py jobworker --batch     the worker
#   docker run IMAGE python manage.py runjob ID             a job, as AWS Batch runs it
#
# `docker build .` builds the production image. `docker build --target local .` adds what
# `manage.py localbatch` needs. On AWS, the processor must be the one of the job definition:
# `docker buildx build --platform linux/amd64 .` for X86_64, linux/arm64 for ARM64.
#
# The root file system may be read-only: what is written goes to /tmp, and in the local image
# to /app/var. What is in it, /app/sbom.json lists (CycloneDX).

# By tag, which gets security fixes with every build. To build the same image again, add the
# digest that you tested: python:3.13-slim@sha256:…
FROM python:3.13-slim AS base
# Bytecode is compiled once, below. At run time the application can't write to its
# folders, and doesn't have to.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:$PATH \
    DEBUG=false
# The official image may come without the standard library's bytecode. Then every start
# of a process would pay for compiling it.
RUN python -m compileall -q -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"


FROM base AS packages
WORKDIR /app
COPY requirements-postgres.txt ./
# Only wheels, so that no compiler is needed, and only those whose hashes the file has. The
# environment itself has no pip. Python doesn't check the bytecode against the timestamps of
# the sources, because copying between stages or a reproducible build may rewrite those.
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-cache-dir --no-compile --only-binary :all: -r requirements-postgres.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM packages AS packages-local
COPY requirements-local.txt ./
RUN pip --python /opt/venv install --no-cache-dir --no-compile --only-binary :all: -r requirements-local.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


# What is installed, as a file. What makes it stays in this stage.
FROM packages AS sbom
COPY requirements-sbom.txt ./
RUN python -m venv --without-pip /opt/sbom \
    && pip --python /opt/sbom install --no-cache-dir --only-binary :all: -r requirements-sbom.txt \
    && /opt/sbom/bin/cyclonedx-py environment --output-reproducible --of JSON -o /opt/sbom.json /opt/venv/bin/python


FROM packages AS code
COPY . .
# The settings refuse to load without a key, hosts and a database. These exist only for
# this line, and the files that it writes contain nothing of them.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    ALLOWED_HOSTS=build.invalid DATABASE_URL=sqlite:////tmp/build.sqlite3 \
    python manage.py collectstatic --noinput \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash .


FROM base AS application
# A number, so that a platform which doesn't allow root can tell that this is another user.
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-log-init --no-create-home --home-dir /app --shell /usr/sbin/nologin app
# Nothing can be installed at run time: the official image's pip and its copy in the standard
# library go.
RUN rm -rf "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"/pip* \
    "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"/ensurepip \
    /usr/local/bin/pip*
WORKDIR /app
# The files belong to root, so an attacker who takes over the application can't rewrite it.
COPY --link --from=code /app /app
COPY --link --from=sbom /opt/sbom.json /app/sbom.json
USER 10001:10001
# What a read-only root file system leaves to write to.
VOLUME /tmp

# Gunicorn reads both: the port and the number of processes. The rest is in gunicorn.conf.py.
ENV PORT=8000 \
    WEB_CONCURRENCY=2
EXPOSE 8000

# Of whatever this container runs: the web server's /healthz, the worker's signs of life; see
# project/alive.py. ECS and AWS Batch ignore it, and have their own in the task definition.
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 CMD ["python", "-m", "project.alive"]

# Use the exec form when you override this, too, so that the process itself gets SIGTERM
# and not a shell.
CMD ["gunicorn", "project.wsgi"]


FROM application AS local
COPY --link --from=packages-local /opt/venv /opt/venv
# `manage.py localbatch` keeps the logs of its jobs there.
USER 0
RUN install -d -m 0700 -o 10001 -g 10001 /app/var
USER 10001:10001


FROM application AS runtime
COPY --link --from=packages /opt/venv /opt/venv
