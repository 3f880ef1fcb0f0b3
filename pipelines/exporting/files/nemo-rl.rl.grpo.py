"""NeMo RL's examples/run_grpo.py with the judge's processor and environment. Run it in NeMo RL's own folder."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

if __name__ == "__main__":
    import grm_nemo
    from nemo_rl.data.processors import register_processor
    from nemo_rl.environments.utils import register_env

    register_processor("grm", grm_nemo.processor)
    register_env("grm", "grm_nemo.JudgingActor")
    sys.argv[0] = "examples/run_grpo.py"
    runpy.run_path("examples/run_grpo.py", run_name="__main__")
