"""What holds for all tests."""

from hypothesis import settings

pytest_plugins = ["tests.support.postgres"]

# A busy machine makes single examples slow: that says nothing of what is tested.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
