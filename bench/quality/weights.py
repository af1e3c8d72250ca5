"""Weights of a .safetensors file as float32 arrays, and bf16 as 16-bit words."""

from pathlib import Path

import numpy as np
from safetensors import deserialize

State = dict[str, np.ndarray]


def to_bits(values: np.ndarray) -> np.ndarray:
    """float32 values, all finite, rounded to nearest even bf16: their bits as uint16."""
    words = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((words + 0x7FFF + (words >> 16 & 1)) >> 16).astype(np.uint16)


def from_bits(bits: np.ndarray) -> np.ndarray:
    """What bf16 values with these bits are, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 values rounded to bf16."""
    return from_bits(to_bits(values))


def read_state(path: Path) -> State:
    """The tensors of a .safetensors file that holds bf16 alone, by name, sorted."""
    state = {}
    for name, tensor in sorted(deserialize(path.read_bytes())):
        if tensor["dtype"] != "BF16":
            raise ValueError(f"{path}: {name} is of type {tensor['dtype']}, not BF16")
        bits = np.frombuffer(tensor["data"], dtype="<u2").reshape(tensor["shape"])
        state[name] = from_bits(bits)
    return state
