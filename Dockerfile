# One image for the web server, the worker and the Batch containers. The command decides:
#
#   docker run IMAGE                                        the web server, on $PORT
#   docker run IMAGE python manage.py jobworker --batch     the worker
#   docker run IMAGE python manage.py runjob ID             a job, as AWS Batch runs it
#
# `docker build .` builds the production image. `docker build --target local .` adds what
# `manage.py localbatch` needs.

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
# Only wheels, so that no compiler is needed, and only those whose hashes the file has.
# Python doesn't check their bytecode against
# the timestamps of the sources, because copying between stages or a reproducible build may
# rewrite those.
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-compile --only-binary :all: -r requirements-postgres.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM packages AS packages-local
COPY requirements-local.txt ./
RUN pip install --no-cache-dir --no-compile --only-binary :all: -r requirements-local.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


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
WORKDIR /app
# The files belong to root, so an attacker who takes over the application can't rewrite it.
COPY --link --from=code /app /app
USER 10001:10001

# Gunicorn reads both: the port and the number of processes. The rest is in gunicorn.conf.py.
ENV PORT=8000 \
    WEB_CONCURRENCY=2
EXPOSE 8000

# This check is for the web server. If the image runs a worker, the check is
# `python manage.py jobs workers --check` (compose.yaml has it); if it runs something else,
# switch it off (`healthcheck: disable: true`). ECS and AWS Batch ignore it. The headers let the
# request pass ALLOWED_HOSTS and SECURE_SSL_REDIRECT.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
host = os.environ.get('ALLOWED_HOSTS', 'localhost').split(',')[0].strip().lstrip('.'); \
web = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
web.request('GET', '/healthz', headers={'Host': host, 'X-Forwarded-Proto': 'https'}); \
raise SystemExit(web.getresponse().status != 200)"]

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
