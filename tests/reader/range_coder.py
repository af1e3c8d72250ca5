"""The binary range coder of src/predict/low_rank/spec.md, "The adaptive code", and its models."""

LEAST_ZERO, MOST_ZERO = 256, 65280  # of 65536: how likely a bit may be 0
EVEN = 1 << 15
FULL = 1 << 16
LEAST_RANGE = 1 << 24
CODE_BYTES = 4


class Model:
    """How likely a bit is to be 0, by what it was so far."""

    def __init__(self, start: int) -> None:
        self._fast = self._slow = start

    @property
    def zero(self) -> int:
        return min(max((self._fast + self._slow) // 2, LEAST_ZERO), MOST_ZERO)

    def learn(self, bit: int) -> None:
        if bit:
            self._fast -= self._fast // 16
            self._slow -= self._slow // 128
        else:
            self._fast += (FULL - self._fast) // 16
            self._slow += (FULL - self._slow) // 128


class RangeDecoder:
    def __init__(self, stream: bytes) -> None:
        self._stream = stream
        self._at = CODE_BYTES
        self._code = int.from_bytes(stream[:CODE_BYTES].ljust(CODE_BYTES, b"\0"), "big")
        self._range = 2**32 - 1

    def _take(self, zero: int) -> int:
        bound = (self._range >> 16) * zero
        bit = int(self._code >= bound)
        if bit:
            self._code -= bound
            self._range -= bound
        else:
            self._range = bound
        while self._range < LEAST_RANGE:
            self._range <<= 8
            following = self._stream[self._at] if self._at < len(self._stream) else 0
            self._code = self._code << 8 | following
            self._at += 1
        return bit

    def bit(self, model: Model) -> int:
        bit = self._take(model.zero)
        model.learn(bit)
        return bit

    def raw(self, count: int) -> int:
        """A number of `count` raw bits."""
        number = 0
        for _ in range(count):
            number = 2 * number + self._take(EVEN)
        return number

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return max(0, len(self._stream) - self._at)


class RangeEncoder:
    def __init__(self) -> None:
        self._done = bytearray()
        self._low = 0  # of the range, behind those bytes
        self._range = 2**32 - 1

    def _put(self, zero: int, bit: int) -> None:
        bound = (self._range >> 16) * zero
        if bit:
            self._add(bound)
            self._range -= bound
        else:
            self._range = bound
        while self._range < LEAST_RANGE:
            self._range <<= 8
            self._done.append(self._low >> 24)
            self._low = self._low << 8 & 0xFFFFFFFF

    def _add(self, bound: int) -> None:
        self._low += bound
        if self._low < 1 << 32:
            return
        self._low -= 1 << 32
        at = len(self._done) - 1
        while self._done[at] == 0xFF:
            self._done[at] = 0
            at -= 1
        self._done[at] += 1

    def bit(self, model: Model, bit: int) -> None:
        self._put(model.zero, bit)
        model.learn(bit)

    def raw(self, count: int, number: int) -> None:
        for place in reversed(range(count)):
            self._put(EVEN, number >> place & 1)

    def stream(self) -> bytes:
        """A short one in the range, which ends in its last four bytes: without any of them it would
        have too few bytes for many zeros."""
        steps = (1 << zeros for zeros in (24, 16, 8, 0))
        ends = ((self._low // step + 1) * step for step in steps)
        within = (end for end in ends if end < self._low + self._range and end != 1 << 32)
        self._add(next(within) - self._low)
        return bytes(self._done + self._low.to_bytes(CODE_BYTES, "big")).rstrip(b"\0")
