"""finedelta stores a fine-tuned model as what it adds to its base model: bit for bit, in less space, and
checked; or lossy with a stated error.

    finedelta.pack("org/base", "./my-tune", "my-tune.fd")
    finedelta.unpack("my-tune.fd", "./restored", base="org/base")
    state_dict = finedelta.load_file("my-tune.fd", base="org/base")
"""

from finedelta import hub as hub
from finedelta import transformers as transformers
from finedelta._core import VERSION as __version__
from finedelta.apply import apply_
from finedelta.errors import (
    CorruptError,
    FineDeltaError,
    NoSpaceError,
    UsageError,
    WrongBaseError,
)
from finedelta.materializing import materialize
from finedelta.operations import (
    diff,
    extract,
    inspect,
    lora,
    lora_from_archive,
    pack,
    plan,
    unpack,
    verify,
)
from finedelta.reader import Archive, TensorSlice, load_file, open

__all__ = [
    "Archive",
    "CorruptError",
    "FineDeltaError",
    "NoSpaceError",
    "TensorSlice",
    "UsageError",
    "WrongBaseError",
    "__version__",
    "apply_",
    "diff",
    "extract",
    "inspect",
    "load_file",
    "lora",
    "lora_from_archive",
    "materialize",
    "open",
    "pack",
    "plan",
    "unpack",
    "verify",
]
