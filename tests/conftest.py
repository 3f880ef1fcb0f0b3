"""What every test stands on."""

import os
import signal

from hypothesis import settings

# The machine may be busy with a server or a build beside the test: time is no property of the code.
settings.register_profile("grmforge", deadline=None)
settings.load_profile("grmforge")

# Under nohup it is ignored, and commands that tests start would ignore it too, as they should.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

collect_ignore = [] if "GRMFORGE_VLLM_PYTHON" in os.environ else ["vllm"]
"""A real vLLM has an environment of its own: `make test-vllm`."""
