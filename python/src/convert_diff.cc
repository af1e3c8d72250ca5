#include "convert.h"
#include "value.h"

namespace finedelta::python {

namespace {

nb::object share(uint64_t part, uint64_t whole) {
  if (whole == 0) return nb::none();
  return value(static_cast<double>(part) / static_cast<double>(whole));
}

void add_norms(nb::dict& out, const Norms& norms) {
  out["base_norm"] = finite_or_none(norms.base);
  out["fine_tune_norm"] = finite_or_none(norms.fine_tune);
  out["delta_norm"] = finite_or_none(norms.delta);
  out["relative_norm"] = finite_or_none(norms.relative());
}

void add_non_finite(nb::dict& out, const NonFinite& base, const NonFinite& fine_tune) {
  out["base_nans"] = value(base.nans);
  out["base_infinities"] = value(base.infinities);
  out["fine_tune_nans"] = value(fine_tune.nans);
  out["fine_tune_infinities"] = value(fine_tune.infinities);
}

nb::object floats_of(const std::optional<FloatDiff>& floats) {
  if (!floats) return nb::none();
  nb::dict out;
  add_norms(out, floats->norms);
  out["largest_delta"] = finite_or_none(floats->largest_delta);
  out["cosine"] = finite_or_none(floats->cosine);
  add_non_finite(out, floats->base, floats->fine_tune);
  out["sign_bit"] = value(floats->sign_bit);
  out["exponent_bits"] = numbers(floats->exponent_bits);
  out["mantissa_bits"] = numbers(floats->mantissa_bits);
  out["steps"] = numbers(floats->steps);
  return out;
}

nb::object rank_of(const std::optional<EffectiveRank>& rank) {
  if (!rank) return nb::none();
  nb::dict out;
  out["value"] = value(rank->value);
  out["estimated"] = value(rank->estimated);
  return out;
}

nb::object shape_of(const std::string& dtype, const std::vector<uint64_t>& shape) {
  return dtype.empty() ? nb::object(nb::none()) : numbers(shape);
}

nb::object tensor_of(const TensorDiff& tensor) {
  nb::dict out;
  out["name"] = value(tensor.name);
  out["base_tensor"] = or_none(tensor.base_tensor);
  out["status"] = value(tensor.status);
  out["shard"] = or_none(tensor.shard);
  out["base_shard"] = or_none(tensor.base_shard);
  out["dtype"] = or_none(tensor.dtype);
  out["shape"] = shape_of(tensor.dtype, tensor.shape);
  out["base_dtype"] = or_none(tensor.base_dtype);
  out["base_shape"] = shape_of(tensor.base_dtype, tensor.base_shape);
  out["elements"] = value(tensor.elements);
  out["changed"] = value(tensor.changed);
  out["changed_share"] = share(tensor.changed, tensor.elements);
  out["floats"] = floats_of(tensor.floats);
  out["effective_rank"] = rank_of(tensor.rank);
  return out;
}

nb::object file_of(const FileDiff& file) {
  nb::dict out;
  out["path"] = value(file.path);
  out["status"] = value(file.status);
  return out;
}

}  // namespace

Fields to_dict(const DiffReport& report) {
  Fields out;
  out["identical"] = value(report.identical());
  out["base"] = value(report.base);
  out["fine_tune"] = value(report.fine_tune);
  out["equal"] = value(report.equal);
  out["changed"] = value(report.changed);
  out["resized"] = value(report.resized);
  out["not_comparable"] = value(report.not_comparable);
  out["only_in_base"] = value(report.only_in_base);
  out["only_in_fine_tune"] = value(report.only_in_fine_tune);
  out["renamed"] = value(report.renamed);
  out["elements"] = value(report.elements);
  out["changed_elements"] = value(report.changed_elements);
  out["changed_share"] = share(report.changed_elements, report.elements);
  add_norms(out, report.norms);
  add_non_finite(out, report.base_non_finite, report.fine_tune_non_finite);
  out["tensors"] = tuple_of(report.tensors, tensor_of);
  out["equal_files"] = value(report.equal_files);
  out["files"] = tuple_of(report.files, file_of);
  return out;
}

}  // namespace finedelta::python
