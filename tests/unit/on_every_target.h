// A fixture whose tests run once on every target that this CPU supports.
#ifndef FINEDELTA_TESTS_UNIT_ON_EVERY_TARGET_H_
#define FINEDELTA_TESTS_UNIT_ON_EVERY_TARGET_H_

#include <gtest/gtest.h>

#include <string>

#include "kernels/target.h"

namespace finedelta {

class OnEveryTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    before_ = active_target();
    ASSERT_TRUE(force_target(GetParam()).has_value());
    ASSERT_EQ(active_target(), GetParam());
  }
  void TearDown() override { ASSERT_TRUE(force_target(before_).has_value()); }

 private:
  std::string before_;
};

inline std::string target_test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace finedelta

#define FINEDELTA_ON_EVERY_TARGET(suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(Target, suite, testing::ValuesIn(finedelta::supported_targets()), \
                           finedelta::target_test_name)

#endif  // FINEDELTA_TESTS_UNIT_ON_EVERY_TARGET_H_
