#include "kernels/residual.h"

#include "kernels/residual_scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/residual.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/bytes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {
namespace {

#if HWY_TARGET == HWY_SCALAR

template <typename T>
struct Vectors {
  static size_t make_differences(const std::byte*, const std::byte*, size_t, std::byte*) {
    return 0;
  }
  static size_t apply_differences(const std::byte*, const std::byte*, size_t, std::byte*) {
    return 0;
  }
  static size_t symbols_of_differences(const std::byte*, size_t, uint8_t*) { return 0; }
  static size_t differences_of_symbols(const uint8_t*, size_t, std::byte*) { return 0; }
  static size_t contexts_of(const std::byte*, size_t, LeadingBits, uint8_t*) { return 0; }
  static size_t leading_symbols(const std::byte*, const std::byte*, size_t, LeadingBits, uint8_t*) {
    return 0;
  }
};

#else

// Whole vectors of units of type T. Each function returns how many units they held.
template <typename T>
struct Vectors {
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  using Bytes8 = hn::Rebind<uint8_t, D>;

  // All bits set where the sign bit is.
  static HWY_INLINE V spread_sign(V value) {
    const hn::RebindToSigned<D> signed_d;
    return hn::BitCast(D(), hn::BroadcastSignBit(hn::BitCast(signed_d, value)));
  }

  static HWY_INLINE V sign() { return hn::Set(D(), scalar::kSign<T>); }

  // TruncateTo of 32-bit lanes is wrong for AVX3_DL in Highway 1.0.3; symbols are no negative
  // numbers.
  static HWY_INLINE void store_symbols(V symbols, uint8_t* to) {
    if constexpr (sizeof(T) == 1) {
      hn::StoreU(symbols, Bytes8(), to);
    } else {
      const hn::RebindToSigned<D> signed_d;
      hn::StoreU(hn::DemoteTo(Bytes8(), hn::BitCast(signed_d, symbols)), Bytes8(), to);
    }
  }

  static size_t make_differences(const std::byte* value, const std::byte* prediction, size_t count,
                                 std::byte* differences) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V x = load_vector(d, value + i * sizeof(T));
      const V p = load_vector(d, prediction + i * sizeof(T));
      const V folded = hn::Xor(hn::AndNot(sign(), x), spread_sign(hn::Xor(x, p)));
      store_vector(hn::Sub(folded, hn::AndNot(sign(), p)), d, differences + i * sizeof(T));
    }
    return i;
  }

  static size_t apply_differences(const std::byte* differences, const std::byte* prediction,
                                  size_t count, std::byte* value) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V p = load_vector(d, prediction + i * sizeof(T));
      const V folded = hn::Add(hn::AndNot(sign(), p), load_vector(d, differences + i * sizeof(T)));
      const V other = spread_sign(folded);
      const V x = hn::Or(hn::And(hn::Xor(p, other), sign()), hn::Xor(folded, other));
      store_vector(x, d, value + i * sizeof(T));
    }
    return i;
  }

  static size_t symbols_of_differences(const std::byte* differences, size_t count,
                                       uint8_t* symbols) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V difference = load_vector(d, differences + i * sizeof(T));
      const V zigzag = hn::Xor(hn::Add(difference, difference), spread_sign(difference));
      store_symbols(hn::Min(zigzag, hn::Set(d, kLargeDifference)), symbols + i);
    }
    return i;
  }

  static size_t differences_of_symbols(const uint8_t* symbols, size_t count,
                                       std::byte* differences) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V symbol = load_symbols(symbols + i);
      const V odd = hn::Sub(hn::Zero(d), hn::And(symbol, hn::Set(d, T{1})));
      store_vector(hn::Xor(half(symbol), odd), d, differences + i * sizeof(T));
    }
    return i;
  }

  static size_t contexts_of(const std::byte* value, size_t count, LeadingBits bits,
                            uint8_t* contexts) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      store_symbols(below_top(load_vector(d, value + i * sizeof(T)), bits), contexts + i);
    }
    return i;
  }

  static size_t leading_symbols(const std::byte* value, const std::byte* prediction, size_t count,
                                LeadingBits bits, uint8_t* symbols) {
    const D d;
    const size_t lanes = hn::Lanes(d);
    size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
      const V x = load_vector(d, value + i * sizeof(T));
      V signs = x;
      if (prediction != nullptr) signs = hn::Xor(x, load_vector(d, prediction + i * sizeof(T)));
      const V below = below_top(x, bits);
      const V other = hn::And(spread_sign(signs), hn::Set(d, T{1}));
      store_symbols(hn::Or(hn::Add(below, below), other), symbols + i);
    }
    return i;
  }

 private:
  static HWY_INLINE V load_symbols(const uint8_t* from) {
    if constexpr (sizeof(T) == 1) {
      return hn::LoadU(Bytes8(), from);
    } else {
      return hn::PromoteTo(D(), hn::LoadU(Bytes8(), from));
    }
  }

  // Highway has no shift of bytes on all targets; symbols are under 32, so 16-bit ones do.
  static HWY_INLINE V half(V symbol) {
    if constexpr (sizeof(T) == 1) {
      const hn::Repartition<uint16_t, D> d16;
      const auto even = hn::AndNot(hn::Set(D(), T{1}), symbol);
      return hn::BitCast(D(), hn::ShiftRight<1>(hn::BitCast(d16, even)));
    } else {
      return hn::ShiftRight<1>(symbol);
    }
  }

  static HWY_INLINE V below_top(V value, LeadingBits bits) {
    const D d;
    V leading = hn::AndNot(sign(), value);
    if constexpr (sizeof(T) == 1) {
      const hn::Repartition<uint16_t, D> d16;
      const auto kept = static_cast<uint8_t>(0xFF << bits.shift & 0xFF);
      const auto high = hn::BitCast(d16, hn::And(leading, hn::Set(d, kept)));
      leading = hn::BitCast(d, hn::ShiftRightSame(high, static_cast<int>(bits.shift)));
    } else {
      leading = hn::ShiftRightSame(leading, static_cast<int>(bits.shift));
    }
    const V top = hn::Set(d, static_cast<T>(bits.top));
    return hn::Min(hn::Sub(top, hn::Min(leading, top)), hn::Set(d, static_cast<T>(bits.most)));
  }
};

#endif

template <typename T>
void make_differences_of(const std::byte* value, const std::byte* prediction, size_t count,
                         std::byte* differences) {
  const size_t done = Vectors<T>::make_differences(value, prediction, count, differences);
  scalar::make_differences<T>(value, prediction, done, count, differences);
}

template <typename T>
void apply_differences_of(const std::byte* differences, const std::byte* prediction, size_t count,
                          std::byte* value) {
  const size_t done = Vectors<T>::apply_differences(differences, prediction, count, value);
  scalar::apply_differences<T>(differences, prediction, done, count, value);
}

template <typename T>
void symbols_of(const std::byte* differences, size_t count, uint8_t* symbols) {
  const size_t done = Vectors<T>::symbols_of_differences(differences, count, symbols);
  scalar::symbols_of_differences<T>(differences, done, count, symbols);
}

template <typename T>
void differences_of(const uint8_t* symbols, size_t count, std::byte* differences) {
  const size_t done = Vectors<T>::differences_of_symbols(symbols, count, differences);
  scalar::differences_of_symbols<T>(symbols, done, count, differences);
}

template <typename T>
void contexts_of_units(const std::byte* value, size_t count, LeadingBits bits, uint8_t* contexts) {
  const size_t done = Vectors<T>::contexts_of(value, count, bits, contexts);
  scalar::contexts_of<T>(value, done, count, bits, contexts);
}

template <typename T>
void leading_symbols_of(const std::byte* value, const std::byte* prediction, size_t count,
                        LeadingBits bits, uint8_t* symbols) {
  const size_t done = Vectors<T>::leading_symbols(value, prediction, count, bits, symbols);
  scalar::leading_symbols<T>(value, prediction, done, count, bits, symbols);
}

// Calls `call` with a value of the unit's type.
template <class Call>
void with_unit(unsigned unit, Call call) {
  if (unit == 1) call(uint8_t{});
  if (unit == 2) call(uint16_t{});
  if (unit == 4) call(uint32_t{});
}

void make(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
          std::byte* differences) {
  with_unit(unit, [&](auto type) {
    make_differences_of<decltype(type)>(value, prediction, count, differences);
  });
}

void apply(unsigned unit, const std::byte* differences, const std::byte* prediction, size_t count,
           std::byte* value) {
  with_unit(unit, [&](auto type) {
    apply_differences_of<decltype(type)>(differences, prediction, count, value);
  });
}

void to_symbols(unsigned unit, const std::byte* differences, size_t count, uint8_t* symbols) {
  with_unit(unit, [&](auto type) { symbols_of<decltype(type)>(differences, count, symbols); });
}

void from_symbols(unsigned unit, const uint8_t* symbols, size_t count, std::byte* differences) {
  with_unit(unit, [&](auto type) { differences_of<decltype(type)>(symbols, count, differences); });
}

void contexts(unsigned unit, const std::byte* value, size_t count, LeadingBits bits, uint8_t* out) {
  with_unit(unit, [&](auto type) { contexts_of_units<decltype(type)>(value, count, bits, out); });
}

void leading(unsigned unit, const std::byte* value, const std::byte* prediction, size_t count,
             LeadingBits bits, uint8_t* symbols) {
  with_unit(unit, [&](auto type) {
    leading_symbols_of<decltype(type)>(value, prediction, count, bits, symbols);
  });
}

}  // namespace
}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

HWY_EXPORT(make);
HWY_EXPORT(apply);
HWY_EXPORT(to_symbols);
HWY_EXPORT(from_symbols);
HWY_EXPORT(contexts);
HWY_EXPORT(leading);

void make_differences(unsigned unit, const std::byte* value, const std::byte* prediction,
                      size_t count, std::byte* differences) {
  HWY_DYNAMIC_DISPATCH(make)(unit, value, prediction, count, differences);
}

void apply_differences(unsigned unit, const std::byte* differences, const std::byte* prediction,
                       size_t count, std::byte* value) {
  HWY_DYNAMIC_DISPATCH(apply)(unit, differences, prediction, count, value);
}

void symbols_of_differences(unsigned unit, const std::byte* differences, size_t count,
                            uint8_t* symbols) {
  HWY_DYNAMIC_DISPATCH(to_symbols)(unit, differences, count, symbols);
}

void differences_of_symbols(unsigned unit, const uint8_t* symbols, size_t count,
                            std::byte* differences) {
  HWY_DYNAMIC_DISPATCH(from_symbols)(unit, symbols, count, differences);
}

void contexts_of(unsigned unit, const std::byte* value, size_t count, LeadingBits bits,
                 uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(contexts)(unit, value, count, bits, out);
}

void leading_symbols(unsigned unit, const std::byte* value, const std::byte* prediction,
                     size_t count, LeadingBits bits, uint8_t* symbols) {
  HWY_DYNAMIC_DISPATCH(leading)(unit, value, prediction, count, bits, symbols);
}

}  // namespace finedelta
#endif  // HWY_ONCE
