#include "kernels/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace finedelta {
namespace {

std::string lower(std::string name) {
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

std::string refusal(std::string_view name) {
  std::string message = "FINEDELTA_TARGET names '" + std::string(name) +
                        "', which this CPU does not support: choose one of";
  for (const std::string& target : supported_targets()) message += " " + target;
  return message;
}

TEST(Target, TheBestOneIsActiveUnlessAnotherIsForced) {
  const std::vector<std::string> targets = supported_targets();
  ASSERT_FALSE(targets.empty());
  const std::string before = active_target();
  for (const std::string& target : targets) {
    ASSERT_TRUE(force_target(lower(target)).has_value());
    EXPECT_EQ(active_target(), target);
    EXPECT_EQ(supported_targets(), targets);
    EXPECT_EQ(active_target(), target);  // asking for the list undid nothing
  }
  ASSERT_TRUE(force_target(before).has_value());
}

TEST(Target, AnUnknownNameIsRefusedAndChangesNothing) {
  const std::string before = active_target();
  for (const std::string name : {"", "AVX9", "AVX", "SCALAR ", "Unknown"}) {
    const Status status = force_target(name);
    ASSERT_FALSE(status.has_value()) << name;
    EXPECT_EQ(status.error().code, ErrorCode::kUsage);
    EXPECT_EQ(status.error().message, refusal(name));
  }
  EXPECT_EQ(active_target(), before);
}

// The variable is read once for each process, so each of these takes a process of its own.
class ForcedByTheEnvironment : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  [[noreturn]] static void apply_and_exit(const char* value) {
    setenv("FINEDELTA_TARGET", value, 1);
    const Status status = apply_forced_target();
    setenv("FINEDELTA_TARGET", "changed later", 1);
    if (apply_forced_target().has_value() != status.has_value()) std::_Exit(3);
    std::fputs(status ? active_target().c_str() : status.error().message.c_str(), stderr);
    std::_Exit(status ? 0 : 1);
  }
};

using ForcedByTheEnvironmentDeathTest = ForcedByTheEnvironment;

TEST_F(ForcedByTheEnvironmentDeathTest, TheNamedTargetIsUsed) {
  const std::string last = supported_targets().back();
  EXPECT_EXIT(apply_and_exit(last.c_str()), testing::ExitedWithCode(0), testing::StrEq(last));
}

TEST_F(ForcedByTheEnvironmentDeathTest, AnEmptyNameLeavesTheBest) {
  const std::string best = supported_targets().front();
  EXPECT_EXIT(apply_and_exit(""), testing::ExitedWithCode(0), testing::StrEq(best));
}

TEST_F(ForcedByTheEnvironmentDeathTest, AnUnknownNameIsAUsageError) {
  EXPECT_EXIT(apply_and_exit("AVX9"), testing::ExitedWithCode(1), testing::StrEq(refusal("AVX9")));
}

}  // namespace
}  // namespace finedelta
