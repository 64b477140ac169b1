"""The engine: installed once, as many servers of it as there are folders, and nothing
left behind.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pymongo import MongoClient

from tests.documentdb import chroot
from tests.servers import DocumentDB


def test_what_was_acknowledged_survives_a_crash(server, collection):
    for number in range(50):
        collection.insert_one({"_id": number})
    server.crash()
    server.start()
    assert collection.count_documents({}) == 50


def test_two_servers_have_nothing_in_common(server, collection, tmp_path):
    collection.insert_one({})
    other = DocumentDB(tmp_path)
    other.start()
    try:
        with MongoClient(other.url) as client:
            assert client.list_database_names() == []
    finally:
        other.stop()
    assert collection.count_documents({}) == 1


def test_a_running_server_has_mounted_nothing_where_others_see_it(server):
    assert server.running
    assert str(chroot.folder()) not in Path("/proc/self/mounts").read_text()


def test_who_is_not_root_is_told_so(monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(chroot.Unavailable, match="takes root"):
        chroot.installed()


@pytest.mark.parametrize("missing", ["apt-get", "mmdebstrap", "unshare"])
def test_what_it_is_installed_with_is_named_where_it_is_missing(monkeypatch, tmp_path, missing):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"apt-get", "mmdebstrap", "unshare"} - {missing}:
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("DOCUMENTDB_FOLDER", str(tmp_path / "chroot"))
    with pytest.raises(
        chroot.Unavailable, match=f"{missing}, which is missing: on Debian, install"
    ):
        chroot.installed()
    assert not (tmp_path / "chroot").exists()


def test_a_machine_whose_packages_are_not_debians_is_told_so(monkeypatch, tmp_path):
    sources = tmp_path / "sources.list"
    sources.touch()
    settings = tmp_path / "apt.conf"
    settings.write_text(f'Dir::Etc::SourceList "{sources}";\nDir::Etc::SourceParts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(settings))
    monkeypatch.setenv("DOCUMENTDB_FOLDER", str(tmp_path / "chroot"))
    with pytest.raises(chroot.Unavailable, match="a package of Debian's"):
        chroot.installed()
