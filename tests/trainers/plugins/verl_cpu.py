"""A plug-in of verl's without an accelerator, by its door for platforms: VERL_USE_EXTERNAL_MODULES=verl_cpu.

Its own platforms are CUDA, ROCm and NPU. What an accelerator does apart from computing is left out here; the group of
processes is opened with gloo, since verl's own call names the processor twice. All else is verl's code.
"""

import torch
from verl.plugin.platform.platform_cuda import PlatformCUDA
from verl.plugin.platform.platform_manager import PlatformRegistry

for name in ("memory_reserved", "memory_allocated", "max_memory_reserved", "max_memory_allocated", "empty_cache"):
    setattr(torch.cpu, name, lambda *_: 0)


@PlatformRegistry.register(platform="cpu")
class PlatformCPU(PlatformCUDA):
    device_name = vendor_name = "cpu"
    device_module = torch.cpu

    def is_available(self):
        return True

    def current_device(self):
        return torch.device("cpu")

    def communication_backend_name(self):
        return "gloo"

    def manual_seed(self, seed):
        torch.manual_seed(seed)

    manual_seed_all = manual_seed
    synchronize = empty_cache = set_device = lambda *_: None


# Its engines ask for the platform while they are imported.
import verl.utils.distributed  # noqa: E402
from verl.workers.engine import EngineRegistry  # noqa: E402
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead  # noqa: E402


def _start(timeout_second=None):
    torch.distributed.init_process_group("gloo")
    return 0, 0, 1


EngineRegistry.register(model_type="language_model", backend="fsdp2", device="cpu")(FSDPEngineWithLMHead)
verl.utils.distributed.initialize_global_process_group = _start
