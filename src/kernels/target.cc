#include "kernels/target.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/target.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace finedelta::HWY_NAMESPACE {

static int64_t this_target() { return HWY_TARGET; }

}  // namespace finedelta::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace finedelta {

namespace {

HWY_EXPORT(this_target);

// Asked once, before anything is forced: afterwards Highway answers with what was forced. The
// static target is the one that the whole library is compiled for, so it is always there.
int64_t supported_mask() {
  static const int64_t mask = (hwy::SupportedTargets() & HWY_TARGETS) | HWY_STATIC_TARGET;
  return mask;
}

// One bit each, best first: Highway gives better targets lower bits.
std::vector<int64_t> supported_bits() {
  std::vector<int64_t> bits;
  for (int64_t rest = supported_mask(); rest != 0; rest &= rest - 1) bits.push_back(rest & -rest);
  return bits;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  return std::ranges::equal(a, b, {}, upper, upper);
}

}  // namespace

std::vector<std::string> supported_targets() {
  std::vector<std::string> names;
  for (const int64_t bit : supported_bits()) names.emplace_back(hwy::TargetName(bit));
  return names;
}

std::string active_target() { return hwy::TargetName(HWY_DYNAMIC_DISPATCH(this_target)()); }

Status force_target(std::string_view name) {
  for (const int64_t bit : supported_bits()) {
    if (!equal_ignoring_case(name, hwy::TargetName(bit))) continue;
    // Lower targets stay allowed, for kernels that were not compiled for this one. (DisableTargets
    // would be undone by the next call of SupportedTargets.)
    hwy::SetSupportedTargetsForTest(supported_mask() & ~(bit - 1));
    return {};
  }
  std::string choice;
  for (const std::string& target : supported_targets()) choice += ' ' + target;
  return fail(ErrorCode::kUsage,
              "FINEDELTA_TARGET names {}, which this CPU does not support: choose one of{}",
              quote(name), choice);
}

Status apply_forced_target() {
  static const Status applied = [] {
    const char* name = std::getenv("FINEDELTA_TARGET");
    return name != nullptr && *name != '\0' ? force_target(name) : Status();
  }();
  return applied;
}

}  // namespace finedelta
#endif  // HWY_ONCE
