"""Tensors of archives as PyTorch's."""

import os
import subprocess
import sys

import pytest
import safetensors.torch
import torch

import finedelta
from models import make_model, random_bf16, write_safetensors

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
         torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64, torch.bool, torch.complex64,
         torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
         torch.float8_e8m0fnu]


def bits(tensor):
    return tensor.reshape(-1).view(torch.uint8)


@pytest.fixture
def pair(tmp_path):
    """A base and a fine-tune in every type."""
    generator = torch.Generator().manual_seed(1)
    base = {}
    for dtype in TYPES:
        base[f"{dtype} t"] = torch.randint(0, 2, (7, 5), generator=generator).to(dtype)
        base[f"{dtype} scalar"] = torch.tensor(1).to(dtype)
        base[f"{dtype} empty"] = torch.empty((0, 4)).to(dtype)
    tune = {name: tensor.clone() for name, tensor in base.items()}
    tune["torch.bfloat16 t"][3, 2] = 2.5
    safetensors.torch.save_file(base, tmp_path / "base.safetensors")
    safetensors.torch.save_file(tune, tmp_path / "tune.safetensors", metadata={"format": "pt"})
    finedelta.pack(tmp_path / "base.safetensors", tmp_path / "tune.safetensors", tmp_path / "tune.fd")
    return tmp_path / "base.safetensors", tune, tmp_path / "tune.fd"


def test_load_file_gives_a_state_dict(pair):
    base, tune, archive = pair
    loaded = finedelta.load_file(archive, base)
    assert set(loaded) == set(tune)
    for name, tensor in tune.items():
        got = loaded[name]
        assert got.dtype == tensor.dtype and got.shape == tensor.shape and got.is_contiguous()
        assert torch.equal(bits(got), bits(tensor))


def test_slices_are_those_of_safe_open(pair, tmp_path):
    base, tune, archive = pair
    with (finedelta.open(archive, base) as ours,
          safetensors.safe_open(tmp_path / "tune.safetensors", "pt") as theirs):
        assert ours.metadata() == theirs.metadata()
        assert sorted(ours.keys()) == sorted(theirs.keys())
        for name in (name for name in theirs.keys() if name.endswith(" t")):
            for index in (slice(2, 5), (slice(None), slice(1, 3)), (slice(1, 2), slice(0, 5, 2)), ...):
                got, expected = ours.get_slice(name)[index], theirs.get_slice(name)[index]
                assert got.shape == expected.shape and got.dtype == expected.dtype
                assert torch.equal(bits(got.contiguous()), bits(expected.contiguous())), (name, index)


def test_rows_do_not_keep_the_rest_alive(pair):
    base, _, archive = pair
    with finedelta.open(archive, base) as opened:
        part = opened.get_slice("torch.float32 t")[:, 1]
        assert part.untyped_storage().nbytes() == part.numel() * 4


def test_four_bit_floats(tmp_path):
    write_safetensors(tmp_path / "a.safetensors", {"four": ("F4", [3, 4], b"abcdef")})
    finedelta.pack(None, tmp_path / "a.safetensors", tmp_path / "a.fd")
    with finedelta.open(tmp_path / "a.fd") as opened:
        tensor = opened.get_tensor("four")
        assert tensor.dtype == torch.float4_e2m1fn_x2 and tensor.shape == (3, 2)
        assert bytes(tensor.view(torch.uint8).flatten().tolist()) == b"abcdef"
        assert bytes(opened.get_slice("four")[1:].view(torch.uint8).flatten().tolist()) == b"cdef"


def test_dlpack_goes_to_torch(pair):
    base, tune, archive = pair
    with finedelta.open(archive, base, framework="dlpack") as opened:
        for dtype in TYPES:
            if dtype in (torch.float8_e8m0fnu,):
                continue  # torch does not take it from DLPack
            got = torch.from_dlpack(opened.get_tensor(f"{dtype} t"))
            assert got.dtype == dtype and torch.equal(bits(got), bits(tune[f"{dtype} t"]))


def test_another_device(pair):
    base, _, archive = pair
    with finedelta.open(archive, base, device="meta") as opened:
        assert opened.get_tensor("torch.float32 t").device.type == "meta"


def test_memory_of_load_file(tmp_path):
    """A model of 400 MB is loaded within its size and the memory that is granted."""
    pieces = {f"w{i}": ("BF16", [1000, 10000], random_bf16(i, 1000) * 10000) for i in range(20)}
    make_model(tmp_path / "model", pieces)
    finedelta.pack(None, tmp_path / "model", tmp_path / "a.fd", level=1)
    script = f"""
import finedelta, resource, torch
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
tensors = finedelta.load_file({os.fspath(tmp_path / "a.fd")!r}, memory=64 << 20)
print(peak() - before, sum(t.numel() * 2 for t in tensors.values()))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    grown, size = map(int, done.stdout.split())
    assert size == 400_000_000 and grown < size + (64 << 20)


@pytest.fixture
def module(tmp_path):
    """A module with tied weights, and the archive of what its tensors are to become."""

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(300, 64, dtype=torch.bfloat16)
            self.head = torch.nn.Linear(64, 300, bias=True, dtype=torch.bfloat16)
            self.head.weight = self.embed.weight

    torch.manual_seed(4)
    module = Tied()
    base = {name: tensor for name, tensor in module.state_dict().items() if name != "head.weight"}
    tune = {name: tensor.clone() for name, tensor in base.items()}
    tune["embed.weight"][7, 3:9] += 1
    safetensors.torch.save_file(base, tmp_path / "b.safetensors")
    safetensors.torch.save_file(tune, tmp_path / "t.safetensors")
    finedelta.pack(tmp_path / "b.safetensors", tmp_path / "t.safetensors", tmp_path / "m.fd", level=1)
    return module, tune, tmp_path / "m.fd"


@pytest.mark.parametrize("check", ["full", "touched"])
def test_apply_updates_a_module_that_is_in_use(module, check):
    model, tune, archive = module
    weight = model.embed.weight
    finedelta.apply_(model.state_dict(), archive, check=check)
    assert model.embed.weight is weight is model.head.weight
    for name, tensor in tune.items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_autograd_notices_that_apply_changed_something(module):
    model, _, archive = module
    loss = model.head(model.embed(torch.tensor([1, 2]))).float().square().sum()
    finedelta.apply_(model.state_dict(), archive)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_apply_refuses_what_is_not_in_the_cpus_memory(module):
    model, _, archive = module
    with pytest.raises(finedelta.UsageError, match="is on device meta"):
        finedelta.apply_(model.to("meta").state_dict(), archive)
    with pytest.raises(finedelta.UsageError, match="is not contiguous"):
        finedelta.apply_({"embed.weight": torch.zeros(64, 300).t()}, archive)
