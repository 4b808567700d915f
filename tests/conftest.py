"""What holds for all tests."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.postgres"]

# A busy machine makes single examples slow, to draw as to test: that says nothing of our code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
