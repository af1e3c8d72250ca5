"""Small models, written and read without the safetensors package."""

import json
import random
import struct
from pathlib import Path


def safetensors_head(entries):
    """What precedes the data in a .safetensors file whose header holds `entries`."""
    header = json.dumps(entries, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def write_safetensors(path, tensors):
    """Writes `tensors`, a dict of name to (dtype, shape, bytes), as a .safetensors file."""
    entries = {}
    offset = 0
    for name, (dtype, shape, data) in tensors.items():
        entries[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
    with open(path, "wb") as file:
        file.write(safetensors_head(entries))
        for _, _, data in tensors.values():
            file.write(data)


def read_safetensors(path):
    """The tensors of a .safetensors file, as `write_safetensors` takes them."""
    content = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            tensors[name] = (entry["dtype"], entry["shape"], content[begin:end])
    return tensors


def random_bf16(seed, count):
    """`count` small bf16 values as bytes: random sign and mantissa, exponents near 2^-6."""
    generator = random.Random(seed)
    values = [generator.randrange(2) << 15 | generator.randrange(118, 122) << 7
              | generator.randrange(128) for _ in range(count)]
    return struct.pack(f"<{count}H", *values)


def nudged(data, seed):
    """bf16 values `data`, one in eight of them a step further."""
    generator = random.Random(seed)
    values = struct.unpack(f"<{len(data) // 2}H", data)
    return struct.pack(f"<{len(values)}H",
                       *(v + (generator.randrange(8) == 0) for v in values))


def read_tree(path):
    """Relative path to content of every file below `path`."""
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted(Path(path).rglob("*")) if file.is_file()}


def make_model(folder, tensors):
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text('{"model_type": "tiny"}\n')
