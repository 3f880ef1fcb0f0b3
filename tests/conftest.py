"""What every test stands on."""

from hypothesis import settings

# The machine may be busy with a server or a build beside the test: time is no property of the code.
settings.register_profile("grmforge", deadline=None)
settings.load_profile("grmforge")
