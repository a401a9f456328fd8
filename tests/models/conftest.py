from conftest_models import _quiet_and_seeded, build  # noqa: F401
