// How a tensor is predicted from base tensors. docs/format.md, sections 3.6 and 4.
#ifndef FINEDELTA_PREDICT_PREDICTION_H_
#define FINEDELTA_PREDICT_PREDICTION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace finedelta {

// The numbers are part of the archive format.
enum class Predictor : uint8_t {
  kNone = 0,
  kBase = 1,
  kScaled = 2,
  kCombination = 3,
  kLowRank = 4,
};

inline constexpr uint8_t kPredictorCount = 5;

// What `inspect` calls it: "none", "base", ...
[[nodiscard]] std::string_view predictor_name(Predictor predictor);

[[nodiscard]] constexpr size_t base_count(Predictor predictor) {
  if (predictor == Predictor::kNone) return 0;
  return predictor == Predictor::kCombination ? 2 : 1;
}

[[nodiscard]] constexpr size_t factor_count(Predictor predictor) {
  if (predictor == Predictor::kCombination) return 2;
  return predictor == Predictor::kScaled ? 1 : 0;
}

inline constexpr size_t kMostBases = 2;

// Predictor and factors of single numbers, without the base tensors that they are applied to.
struct Formula {
  Predictor predictor = Predictor::kNone;
  float factors[kMostBases] = {};  // the first factor_count() count

  [[nodiscard]] size_t bases() const { return base_count(predictor); }
  [[nodiscard]] std::span<const float> used_factors() const {
    return std::span(factors).first(factor_count(predictor));
  }
};

// A formula and its base tensors. `Base` names one of them: by its number in an archive, by its
// place in a checkpoint before there is an archive.
template <typename Base>
struct Prediction {
  Formula formula;
  std::array<Base, kMostBases> base_tensors{};  // the first formula.bases() count

  static Prediction none() { return {}; }
  static Prediction base(Base base) { return {{.predictor = Predictor::kBase}, {base}}; }
  static Prediction scaled(Base base, float factor) {
    return {{.predictor = Predictor::kScaled, .factors = {factor}}, {base}};
  }
  static Prediction combination(Base first, Base second, float first_factor, float second_factor) {
    return {{.predictor = Predictor::kCombination, .factors = {first_factor, second_factor}},
            {first, second}};
  }

  static Prediction low_rank(Base base) { return {{.predictor = Predictor::kLowRank}, {base}}; }

  // Whether there is any base tensor.
  explicit operator bool() const { return formula.predictor != Predictor::kNone; }
  [[nodiscard]] std::span<const Base> bases() const {
    return std::span(base_tensors).first(formula.bases());
  }
};

}  // namespace finedelta

#endif  // FINEDELTA_PREDICT_PREDICTION_H_
