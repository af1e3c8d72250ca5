"""What updating a model in memory takes, beside loading indices and values and torch's `index_copy_`:

  build/venv-extras/bin/python bench/apply/run.py PAGE

writes docs/apply.md; `make bench-apply` calls it.

An RL-like update of GPT-2's shapes (124 M weights, BF16): a step so small that about one weight in a hundred
is rounded to another value. All ways in one run, interleaved; medians, with the extremes.
"""

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "python"))

import finedelta  # noqa: E402
import finedelta.apply  # noqa: E402
from finedelta.validate.models.shapes import LAYOUTS  # noqa: E402

Model = dict[str, torch.Tensor]

ROUNDS = 15
STEP = 0.6e-6  # of an optimizer, on weights of a standard deviation of 0.02


def made_up() -> tuple[Model, Model]:
    """A base, and the base after a step: the master weights lie anywhere in their values' rounding cells."""
    torch.manual_seed(0)
    base = {
        tensor.name: (torch.randn(tensor.shape) * 0.02).bfloat16()
        for tensor in LAYOUTS["gpt2-124m"]().tensors()
    }
    tune = {}
    for name, weights in base.items():
        master = weights.float() + (torch.rand(weights.shape) - 0.5) * weights.float().abs() / 256
        stepped = (master + torch.randn(weights.shape) * STEP).bfloat16()
        tune[name] = torch.where(master.bfloat16() == weights, stepped, weights)
    return base, tune


def cpu_name() -> str:
    (name, *_) = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return str(name)


def bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.reshape(-1).view(torch.int16)


def indices_and_values(base: Model, tune: Model) -> Model:
    """Indices are as small as they can be."""
    out = {}
    for name, weights in tune.items():
        places = (bits(weights) != bits(base[name])).nonzero().flatten()
        out[f"{name}.indices"] = places.int()
        out[f"{name}.values"] = weights.reshape(-1)[places]
    return out


def index_copy(model: Model, path: Path) -> None:
    update = load_file(path)
    for name, weights in model.items():
        places, values = update[f"{name}.indices"], update[f"{name}.values"]
        weights.view(-1).index_copy_(0, places.long(), values)


def measured(ways: dict[str, Callable[[Model], object]], base: Model, tune: Model) -> list[str]:
    """Lines of a table. Every way has to give the fine-tune, every time."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            model = {key: tensor.clone() for key, tensor in base.items()}
            time.sleep(0.2)  # until PyTorch's threads, which wait for more to copy, give their cores back
            begin = time.perf_counter()
            way(model)
            seconds[name].append(time.perf_counter() - begin)
            if any(not torch.equal(bits(model[key]), bits(tune[key])) for key in tune):
                sys.exit(f"{name} does not give the fine-tune")
    first = statistics.median(next(iter(seconds.values())))
    lines = ["| way | ms, median | least | most | against the first |", "|---|---:|---:|---:|---:|"]
    for name, taken in seconds.items():
        median = statistics.median(taken)
        lines.append(
            f"| {name} | {median * 1e3:.1f} | {min(taken) * 1e3:.1f} | {max(taken) * 1e3:.1f} "
            f"| {median / first:.2f} |"
        )
    return lines


def ways_to_update(folder: Path) -> dict[str, Callable[[Model], object]]:
    def apply(level: int, check: finedelta.apply.Check) -> Callable[[Model], object]:
        return lambda model: finedelta.apply_(model, folder / f"{level}.fd", check=check)

    return {
        "indices and values, `index_copy_`": lambda m: index_copy(m, folder / "indices.safetensors"),
        "`apply_`, level 1, touched": apply(1, "touched"),
        "`apply_`, level 1, full": apply(1, "full"),
        "`apply_`, level 3, touched": apply(3, "touched"),
        "`apply_`, level 3, full": apply(3, "full"),
    }


PAGE = """# Updating a model in memory

Written by `make bench-apply`: {cpu}, {threads} threads, PyTorch {torch}, finedelta {version}.

A made-up update as from one step of reinforcement learning to the next: {weights} weights in GPT-2's shapes,
BF16, of which {changed:.2%} change, mostly to the next value. A server that holds the base reads a file from the
page cache and updates its tensors in place. The first way is the plain one: a safetensors file of 32-bit indices
and of values, loaded, and PyTorch's `index_copy_`; it checks nothing. `apply_` is [finedelta.apply_](python.md):
all or nothing, with every check that it names.

| file | bytes |
|---|---:|
| indices and values | {indices} |
| archive of level 1 | {level_1} |
| archive of level 3 | {level_3} |

`full` reads the weights {passes:.2f} times. {rounds} rounds, interleaved:

{table}
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base, tune = made_up()
        save_file(base, folder / "base.safetensors")
        save_file(tune, folder / "tune.safetensors")
        save_file(indices_and_values(base, tune), folder / "indices.safetensors")
        both = folder / "base.safetensors", folder / "tune.safetensors"
        for level in (1, 3):
            finedelta.pack(*both, folder / f"{level}.fd", level=level)
        copy = {name: tensor.clone() for name, tensor in base.items()}
        report = finedelta.apply_(copy, folder / "1.fd")
        weights = sum(tensor.numel() for tensor in base.values())
        changed = sum(int((bits(base[name]) != bits(tune[name])).sum()) for name in base)
        page = PAGE.format(
            cpu=cpu_name(),
            threads=torch.get_num_threads(),
            torch=torch.__version__,
            version=finedelta.__version__,
            weights=weights,
            changed=changed / weights,
            indices=(folder / "indices.safetensors").stat().st_size,
            level_1=(folder / "1.fd").stat().st_size,
            level_3=(folder / "3.fd").stat().st_size,
            passes=report.bytes_read / report.bytes,
            rounds=ROUNDS,
            table="\n".join(measured(ways_to_update(folder), base, tune)),
        )
    Path(sys.argv[1]).write_text(page)
    print(page)


if __name__ == "__main__":
    main()
