# One image for the web server, the worker and the Batch containers; the command tells them apart:
#
#   docker run IMAGE                                        the web server, on $PORT
#   docker run IMAGE python manage.py jobworker --batch     the worker
#   docker run IMAGE python manage.py runjob ID             a job: what AWS Batch runs
#
# `docker build .` builds the production image. `docker build --target local .` adds what `manage.py localbatch` needs.

FROM python:3.13-slim AS base
# Bytecode is compiled below, once: at run time the application can't write to its folders, and needn't.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:$PATH \
    DEBUG=false
# The official image may come without the standard library's bytecode, and then every start pays for compiling it.
RUN python -m compileall -q -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"


FROM base AS packages
WORKDIR /app
COPY requirements.txt requirements-postgres.txt ./
# Wheels only, so that no compiler is needed. Their bytecode isn't checked against the sources' timestamps, which
# copying between stages or a reproducible build may rewrite.
RUN python -m venv /opt/venv \
    && pip install --no-cache-dir --no-compile --only-binary :all: -r requirements.txt -r requirements-postgres.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM packages AS packages-local
COPY requirements-local.txt ./
RUN pip install --no-cache-dir --no-compile --only-binary :all: -r requirements-local.txt \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


FROM packages AS code
COPY . .
# The settings refuse to load without a key, hosts and a database. These exist for this line only, and nothing of
# them is in the files it writes.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    ALLOWED_HOSTS=build.invalid DATABASE_URL=sqlite:////tmp/build.sqlite3 \
    python manage.py collectstatic --noinput \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash .


FROM base AS application
# By number, so that a platform which insists on a user other than root can tell.
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-log-init --no-create-home --home-dir /app --shell /usr/sbin/nologin app
WORKDIR /app
# Owned by root: whatever takes over the application can't rewrite it.
COPY --link --from=code /app /app
USER 10001:10001

# Gunicorn reads all three: the port, the number of processes, and further options (which the command line below
# overrides). The graceful time-out stays under the 30 seconds that ECS leaves between SIGTERM and SIGKILL.
ENV PORT=8000 \
    WEB_CONCURRENCY=2 \
    GUNICORN_CMD_ARGS="--threads 4 --timeout 60 --graceful-timeout 25"
EXPOSE 8000

# For the web server. Switch it off where the same image runs something else (`healthcheck: disable: true` in Compose);
# ECS and AWS Batch ignore it. The headers make the request one that ALLOWED_HOSTS and SECURE_SSL_REDIRECT let through.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "\
import http.client, os; \
host = os.environ.get('ALLOWED_HOSTS', 'localhost').split(',')[0].strip().lstrip('.'); \
web = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=4); \
web.request('GET', '/healthz', headers={'Host': host, 'X-Forwarded-Proto': 'https'}); \
raise SystemExit(web.getresponse().status != 200)"]

# In exec form, as everything that overrides it should be: the process itself gets SIGTERM, not a shell.
CMD ["gunicorn", "project.wsgi", "--access-logfile", "-", "--worker-tmp-dir", "/dev/shm", "--no-control-socket"]


FROM application AS local
COPY --link --from=packages-local /opt/venv /opt/venv


FROM application AS runtime
COPY --link --from=packages /opt/venv /opt/venv
