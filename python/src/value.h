// Plain values of the library as Python's.
#ifndef FINEDELTA_PYTHON_VALUE_H_
#define FINEDELTA_PYTHON_VALUE_H_

#include <nanobind/nanobind.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert.h"

namespace finedelta::python {

inline nb::object value(bool truth) { return nb::bool_(truth); }
inline nb::object value(uint64_t number) { return nb::int_(number); }
inline nb::object value(double number) { return nb::float_(number); }
inline nb::object value(const std::string& string) { return text(string); }

// Where an empty string stands for what there is not.
inline nb::object or_none(const std::string& string) {
  return string.empty() ? nb::object(nb::none()) : text(string);
}

// None where there is no number, or none that is finite.
inline nb::object finite_or_none(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? value(*number) : nb::object(nb::none());
}

// of(item) for each item.
template <typename T, typename Of>
nb::object tuple_of(const std::vector<T>& items, Of of) {
  nb::list list;
  for (const T& item : items) list.append(of(item));
  return nb::tuple(list);
}

inline nb::object numbers(const std::vector<uint64_t>& items) {
  return tuple_of(items, [](uint64_t number) { return value(number); });
}

}  // namespace finedelta::python

#endif  // FINEDELTA_PYTHON_VALUE_H_
