"""TRL trains with the service as its reward: a simulated judge, a tenth of whose answers cannot be read."""

import atexit
from pathlib import Path
from typing import TYPE_CHECKING, Any

import datasets
import pytest

from tests.end_to_end.test_trainers import model, module_at, tokenizer
from tests.pipelines.serving.service import recipe_for, serving

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

__all__ = ["model", "tokenizer"]
CLIENTS = Path(__file__).parents[2] / "pipelines/reporting/train/reward_clients.py"
NO_OTHER_FAULT = dict.fromkeys(("truncated", "wrong_count", "out_of_range", "refused", "failed"), 0.0)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_grpo_skips_and_counts_what_the_judge_could_not_say(
    model: "Qwen3ForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.utils import shutdown_event_loop_in_daemon

    clients = module_at(CLIENTS)
    steps: list[list[float | None]] = []

    async def judged(**columns: Any) -> list[float | None]:
        """Ask the service as a user does, and remember what it said."""
        rewards: list[float | None] = await clients.trl_reward(**columns)
        steps.append(rewards)
        return rewards

    models = {"grm": {"engine": "simulated", "simulated": {"unparsed": 0.1, "seed": 4, **NO_OTHER_FAULT}}}
    rows = [{"prompt": [{"role": "user", "content": f"Name {number} primes."}]} for number in range(96)]
    recipe = recipe_for(tmp_path, "", {"k": 1}, models=models, grm={"resample_unreadable": 0})
    with serving(recipe, tmp_path / "data") as service:
        monkeypatch.setenv("GRMFORGE_URL", service.url)
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=judged,
            args=GRPOConfig(
                output_dir=str(tmp_path / "out"),
                max_steps=2,
                per_device_train_batch_size=96,
                num_generations=2,
                max_completion_length=8,
                logging_steps=1,
                report_to=[],
                use_cpu=True,
                activation_checkpointing=False,
                bf16=False,
                dataloader_pin_memory=False,
            ),
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        assert trainer.train().global_step == 2
        said = [reward for step in steps for reward in step]
        skipped = said.count(None)
        assert len(said) == 192 and 0 < skipped < 96
        assert service.metric('failures_total{cause="unreadable"}') > 0
        assert service.metric("failed_share") == pytest.approx(skipped / 192, rel=1e-4)
    logged = [entry for entry in trainer.state.log_history if "reward" in entry]
    for rewards, entry in zip(steps, logged, strict=True):
        numbers = [reward for reward in rewards if reward is not None]
        assert all(1 <= number <= 10 for number in numbers), "a number is the judge's own"
        assert entry["reward"] == pytest.approx(sum(numbers) / len(numbers), rel=1e-4), "what failed is in no mean"
        assert entry["judge/failed_share"] == pytest.approx(rewards.count(None) / len(rewards), rel=1e-4)
    advantages = list(trainer._logs["advantages"])
    zeroed = [
        advantage for advantage, reward in zip(advantages, said[-len(advantages) :], strict=True) if reward is None
    ]
    assert zeroed and set(zeroed) == {0.0}, "what failed moves nothing"
    atexit.unregister(shutdown_event_loop_in_daemon)  # TRL leaves it to the exit
    shutdown_event_loop_in_daemon(trainer.async_loop_thread, trainer.async_loop)
    trainer.async_loop.close()
