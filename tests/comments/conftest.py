from tests.web import no_collected_static_files  # noqa: F401
