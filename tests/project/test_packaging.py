"""The image, the Compose file and the requirements, as far as they can be checked
without a container engine.
"""

from __future__ import annotations

import fnmatch
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from project import alive

ROOT = Path(__file__).resolve().parents[2]
SECRET = re.compile("SECRET|PASSWORD|TOKEN|ACCESS_KEY|CREDENTIAL|DATABASE_URL", re.IGNORECASE)


class Stage:
    def __init__(self, base: str, name: str):
        self.base, self.name = base, name
        self.instructions: list[tuple[str, str]] = []

    def all(self, word: str) -> list[str]:
        return [rest for instruction, rest in self.instructions if instruction == word]


def stages() -> dict[str, Stage]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, text.replace("\\\n", "").splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stage = found[name] = Stage(base, name)
        else:
            stage.instructions.append((word, rest.strip()))
    return found


def lineage(name: str) -> list[Stage]:
    """The stage and those that it is built on, nearest first."""
    found = stages()
    line = []
    while name in found:
        line.append(found[name])
        name = found[name].base
    return line


def effective(name: str, word: str) -> str:
    """The last value in a stage of an instruction like USER."""
    return next(stage.all(word)[-1] for stage in lineage(name) if stage.all(word))


def instructions(word: str) -> list[str]:
    return [rest for stage in stages().values() for rest in stage.all(word)]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps `path` out of the build: the last line that matches
    it or a folder above decides.
    """
    parts = path.split("/")
    prefixes = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    answer = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            if any(matches(prefix, pattern) for prefix in prefixes):
                answer = not line.startswith("!")
    return answer


def matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], pattern[3:])
    return "/" not in path and fnmatch.fnmatch(path, pattern)


class TestDockerfile:
    def test_the_default_is_the_production_image_and_the_local_one_is_asked_for(self):
        assert list(stages())[-1] == "runtime"
        assert "local" in stages()

    def test_every_base_is_pinned_by_tag_or_is_a_stage(self):
        for stage in stages().values():
            tag = stage.base.partition(":")[2]
            assert stage.base in stages() or (tag and tag != "latest"), stage.base

    @pytest.mark.parametrize("name", ["runtime", "local"])
    def test_it_runs_as_a_fixed_user_other_than_root(self, name):
        user, _, group = effective(name, "USER").partition(":")
        assert int(user) > 0
        assert int(group) > 0

    @pytest.mark.parametrize("name", ["runtime", "local"])
    def test_the_process_itself_gets_the_signals(self, name):
        assert json.loads(effective(name, "CMD"))[:2] == ["gunicorn", "project.wsgi"]
        # An entry point would come before `python manage.py ...`, too.
        assert not any(stage.all("ENTRYPOINT") for stage in lineage(name))

    def test_one_health_check_is_for_every_role(self):
        command = json.loads(effective("runtime", "HEALTHCHECK").partition("CMD ")[2])
        assert command == ["python", "-m", "project.alive"]
        assert not ignored("project/alive.py")

    def test_nothing_can_be_installed_at_run_time(self):
        (removal,) = [run for run in stages()["application"].all("RUN") if run.startswith("rm")]
        for gone in ("/pip*", "/ensurepip", "/usr/local/bin/pip*"):
            assert gone in removal
        for run in instructions("RUN"):
            assert "-m venv" not in run or "--without-pip" in run
        for name in ("runtime", "local", "application"):
            assert not any("apt" in run for run in stages()[name].all("RUN"))

    def test_hadolint_finds_nothing(self):
        hadolint = Path(sys.executable).with_name("hadolint")
        if not hadolint.exists():
            pytest.skip("hadolint has no wheel for this machine")
        command = [hadolint, "--config", ROOT / ".hadolint.yaml", ROOT / "Dockerfile"]
        said = subprocess.run(command, capture_output=True, text=True)
        assert said.stdout + said.stderr == ""

    def test_debug_is_off(self):
        assert re.search(
            r"\bDEBUG=false\b", " ".join(stage.all("ENV")[0] for stage in lineage("base"))
        )

    def test_nothing_is_fetched_by_url(self):
        assert instructions("ADD") == []

    def test_no_secret_stays_in_the_image(self):
        for declaration in instructions("ENV") + instructions("ARG"):
            assert not SECRET.search(declaration), declaration
        for run in instructions("RUN"):
            for value in re.findall(r"\bSECRET_KEY=(\S+)", run):
                assert value.startswith('"$('), "a key made for this build alone"

    def test_what_is_copied_exists_and_is_not_ignored(self):
        for copy in instructions("COPY"):
            flags = [word for word in copy.split() if word.startswith("--")]
            *sources, _ = [word for word in copy.split() if not word.startswith("--")]
            origin = next(
                (flag.partition("=")[2] for flag in flags if flag.startswith("--from=")), None
            )
            if origin is not None:
                assert origin in stages()
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source == "." or not ignored(source), source

    def test_the_requirements_that_it_installs_are_copied_first(self):
        for stage in stages().values():
            text = " ".join(rest for above in lineage(stage.name) for rest in above.all("COPY"))
            for run in stage.all("RUN"):
                for name in re.findall(r"-r (\S+)", run):
                    assert name in text.split()


class TestDockerignore:
    @pytest.mark.parametrize(
        "path",
        [
            ".git/config",
            ".env",
            ".env.production",
            "project/.env",
            "var/db.sqlite3",
            ".venv/bin/python",
            ".venv-djongo/bin/python",
            "tests/__init__.py",
            "staticfiles/staticfiles.json",
            "jobs/__pycache__/models.cpython-313.pyc",
            "id_rsa",
        ],
    )
    def test_what_has_no_business_in_the_image_stays_out(self, path):
        assert ignored(path)

    def test_what_the_application_consists_of_gets_in(self):
        packages = {app.partition(".")[0] for app in settings.INSTALLED_APPS}
        own = {name for name in packages if (ROOT / name).is_dir()}
        assert {"project", "jobs", "batchexec", "posts", "comments"} <= own
        for path in [
            "manage.py",
            "gunicorn.conf.py",
            *(f"{name}/__init__.py" for name in sorted(own)),
        ]:
            assert not ignored(path), path


@pytest.fixture(scope="module")
def services():
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


class TestCompose:
    def test_the_services(self, services):
        assert set(services) == {"mongodb", "migrate", "web", "worker", "localbatch"}

    def test_no_secret_is_written_down(self, services):
        for service in services.values():
            for name, value in service.get("environment", {}).items():
                if name == "DATABASE_URL":
                    assert "@" not in value, "a password"
                elif SECRET.search(name):
                    # The dummy key is one that only `localbatch` takes.
                    assert value.startswith("${") or value == "local", name

    def test_a_missing_secret_key_is_an_error_that_says_what_to_do(self, services):
        for name in ("migrate", "web", "worker", "localbatch"):
            assert services[name]["environment"]["SECRET_KEY"].startswith("${SECRET_KEY:?")

    def test_the_stages_exist(self, services):
        for name in ("migrate", "web", "worker", "localbatch"):
            assert services[name]["build"]["target"] in stages()
        assert services["localbatch"]["build"]["target"] == "local"

    def test_services_wait_for_what_they_need(self, services):
        for name, service in services.items():
            for needed, how in service.get("depends_on", {}).items():
                if how["condition"] == "service_healthy":
                    assert "test" in services[needed]["healthcheck"], f"{name} waits for {needed}"
                else:
                    assert how["condition"] == "service_completed_successfully"
                    assert services[needed]["restart"] == "no"
        assert set(services["worker"]["depends_on"]) == {"migrate", "localbatch"}
        assert set(services["web"]["depends_on"]) == {"migrate"}

    def test_the_images_health_check_is_inherited(self, services):
        # And by the worker: the image's check finds out what it runs.
        assert "healthcheck" not in services["web"]
        assert "healthcheck" not in services["worker"]
        assert services["migrate"]["healthcheck"] == {"disable": True}

    def test_the_root_file_system_is_read_only(self, services):
        for name in ("migrate", "web", "worker", "localbatch"):
            assert services[name]["read_only"] is True
            assert "/tmp" in services[name]["tmpfs"]

    def test_nothing_is_published_beyond_this_machine(self, services):
        for service in services.values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))

    def test_the_worker_submits_to_localbatch_and_has_time_to_stop(self, services):
        worker = services["worker"]
        port = services["localbatch"]["command"][-1]
        assert worker["command"] == ["python", "manage.py", "jobworker", "--batch"]
        assert worker["environment"]["AWS_ENDPOINT_URL_BATCH"] == f"http://localbatch:{port}"
        assert "stop_grace_period" in worker
        assert (
            services["localbatch"]["environment"]["DATABASE_URL"]
            == worker["environment"]["DATABASE_URL"]
        )


class TestAlive:
    def first(self, tmp_path: Path, *words: str) -> Path:
        path = tmp_path / "cmdline"
        path.write_bytes(b"".join(word.encode() + b"\0" for word in words))
        return path

    def test_a_container_that_serves_nothing_is_alive_while_it_runs(self, tmp_path):
        assert alive.main(self.first(tmp_path, "python", "manage.py", "runjob", "1")) == 0

    def test_a_web_server_must_answer(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(alive, "PATIENCE", 120)
        first = self.first(tmp_path, "/opt/venv/bin/python", "/opt/venv/bin/gunicorn", "x.wsgi")
        with serving({"/healthz": 200}) as port:
            monkeypatch.setenv("PORT", str(port))
            assert alive.main(first) == 0
        with serving({"/healthz": 503}) as port:
            monkeypatch.setenv("PORT", str(port))
            assert alive.main(first) == 1
        assert alive.main(first) == 1  # nobody listens now
        assert "doesn't answer" in capsys.readouterr().err

    def test_a_worker_is_asked_for_its_signs_of_life_behind_an_init_too(
        self, tmp_path, monkeypatch
    ):
        asked: list[list[str]] = []

        def execv(path: str, words: list[str]) -> None:
            asked.append(words[1:])
            raise SystemExit(0)

        monkeypatch.setattr("os.execv", execv)
        words = ("/sbin/docker-init", "--", "python", "manage.py", "jobworker", "--batch")
        with pytest.raises(SystemExit):
            alive.main(self.first(tmp_path, *words))
        assert asked == [["manage.py", "jobs", "workers", "--check"]]


@contextmanager
def serving(statuses: dict[str, int]) -> Iterator[int]:
    """The port of a web server with these answers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.path])
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
