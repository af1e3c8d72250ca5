#include "convert.h"

#include <optional>

#include "value.h"

namespace finedelta::python {

namespace {

using python::value;

nb::object value(const CoderUse& use);
nb::object value(const TensorError& error);
nb::object value(const TensorSummary& tensor);
nb::object value(const FileSummary& file);
nb::object value(const BaseSummary& base);
nb::object value(const PlannedTensor& tensor);
nb::object value(const LoraTensor& tensor);

template <typename T>
nb::object value(const std::optional<T>& optional) {
  return optional ? value(*optional) : nb::object(nb::none());
}

template <typename T>
nb::object value(const std::vector<T>& items) {
  return tuple_of(items, [](const T& item) { return value(item); });
}

nb::object value(const CoderUse& use) {
  nb::dict out;
  out["coder"] = value(use.coder);
  out["chunks"] = value(use.chunks);
  return out;
}

nb::object value(const TensorError& error) {
  nb::dict out;
  out["relative_error"] = value(error.relative_error);
  out["largest_error"] = value(error.largest_error);
  out["cosine"] = value(error.cosine);
  out["energy_kept"] = value(error.energy_kept);
  out["sign_agreement"] = value(error.sign_agreement);
  out["zeros"] = value(error.zeros);
  return out;
}

// What a tensor of an archive and one of a plan have in common.
template <typename T>
nb::dict matched_tensor(const T& tensor) {
  nb::dict out;
  out["name"] = value(tensor.name);
  out["shard"] = value(tensor.shard);
  out["dtype"] = value(tensor.dtype);
  out["shape"] = value(tensor.shape);
  out["bytes"] = value(tensor.bytes);
  out["match"] = value(tensor.match);
  out["base_tensor"] = or_none(tensor.base_tensor);
  out["base"] = tensor.base_tensor.empty() ? nb::object(nb::none()) : value(tensor.base);
  out["second_base_tensor"] = or_none(tensor.second_base_tensor);
  out["second_base"] =
      tensor.second_base_tensor.empty() ? nb::object(nb::none()) : value(tensor.second_base);
  out["predictor"] = value(tensor.predictor);
  return out;
}

nb::object value(const TensorSummary& tensor) {
  nb::dict out = matched_tensor(tensor);
  out["elements"] = value(tensor.elements);
  out["factors"] = value(tensor.factors);
  out["rank"] = value(tensor.rank);
  out["coders"] = value(tensor.coders);
  out["stored_bytes"] = value(tensor.stored_bytes);
  out["second_layer_bytes"] = value(tensor.second_layer_bytes);
  out["error"] = value(tensor.error);
  return out;
}

nb::object value(const PlannedTensor& tensor) {
  nb::dict out = matched_tensor(tensor);
  out["estimated_bytes"] = value(tensor.estimated_bytes);
  return out;
}

nb::object value(const FileSummary& file) {
  nb::dict out;
  out["path"] = value(file.path);
  out["kind"] = value(file.kind);
  out["executable"] = value(file.executable);
  out["bytes"] = value(file.bytes);
  out["sha256"] = or_none(file.sha256);
  out["original_sha256"] = or_none(file.original_sha256);
  out["first_layer_sha256"] = or_none(file.first_layer_sha256);
  out["metadata"] = or_none(file.metadata);
  return out;
}

nb::object value(const BaseSummary& base) {
  nb::dict out;
  out["name"] = or_none(base.name);
  out["revision"] = or_none(base.revision);
  out["identity"] = value(base.identity);
  out["tensors"] = value(base.tensors);
  return out;
}

nb::object value(const LoraTensor& tensor) {
  nb::dict out;
  out["name"] = value(tensor.name);
  out["module"] = or_none(tensor.module);
  out["dtype"] = value(tensor.dtype);
  out["shape"] = value(tensor.shape);
  out["stored"] = value(tensor.stored);
  out["rank"] = value(tensor.rank);
  out["reason"] = or_none(tensor.reason);
  out["relative_change"] = value(tensor.relative_change);
  out["relative_error"] = value(tensor.relative_error);
  return out;
}

}  // namespace

std::string path_from(const nb::bytes& path) { return {path.c_str(), path.size()}; }

std::vector<std::string> paths_from(const std::vector<nb::bytes>& paths) {
  std::vector<std::string> out;
  for (const nb::bytes& path : paths) out.push_back(path_from(path));
  return out;
}

nb::object text(std::string_view bytes) {
  return nb::steal(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape"));
}

Fields to_dict(const PackReport& report) {
  Fields out;
  out["files"] = value(report.files);
  out["input_bytes"] = value(report.input_bytes);
  out["weight_bytes"] = value(report.weight_bytes);
  out["archive_bytes"] = value(report.archive_bytes);
  out["tensors"] = value(report.tensors);
  out["matched_tensors"] = value(report.matched_tensors);
  out["needed_bases"] = value(report.bases);
  out["lossy"] = value(report.lossy);
  out["lossy_tensors"] = value(report.lossy_tensors);
  out["progressive"] = value(report.progressive);
  out["second_layer_bytes"] = value(report.second_layer_bytes);
  return out;
}

Fields to_dict(const UnpackReport& report) {
  Fields out;
  out["files"] = value(report.files);
  out["bytes"] = value(report.bytes);
  out["sha256_checked"] = value(report.sha256_checked);
  out["lossy"] = value(report.lossy);
  out["bases"] = value(report.bases);
  return out;
}

Fields to_dict(const VerifyReport& report) {
  Fields out;
  out["archive_bytes"] = value(report.archive_bytes);
  out["chunks"] = value(report.chunks);
  out["lossy"] = value(report.lossy);
  out["rebuilt"] = value(report.rebuilt);
  out["files"] = value(report.files);
  out["bytes"] = value(report.bytes);
  out["bases"] = value(report.bases);
  return out;
}

Fields to_dict(const ExtractReport& report) {
  Fields out;
  out["tensors"] = value(report.tensors);
  out["bytes"] = value(report.bytes);
  out["archive_bytes_read"] = value(report.archive_bytes_read);
  out["base_bytes_read"] = value(report.base_bytes_read);
  out["lossy"] = value(report.lossy);
  return out;
}

Fields to_dict(const ApplyReport& report) {
  Fields out;
  out["tensors"] = value(report.tensors);
  out["changed_tensors"] = value(report.changed_tensors);
  out["bytes"] = value(report.bytes);
  out["bytes_read"] = value(report.bytes_read);
  out["lossy"] = value(report.lossy);
  return out;
}

Fields to_dict(const ArchiveSummary& summary) {
  Fields out;
  out["format_version"] = value(summary.format_version);
  out["single_file"] = value(summary.single_file);
  out["lossy"] = value(summary.lossy);
  out["progressive"] = value(summary.progressive);
  out["second_layer_bytes"] = value(summary.second_layer_bytes);
  out["archive_bytes"] = value(summary.archive_bytes);
  out["payload_bytes"] = value(summary.payload_bytes);
  out["side_bytes"] = value(summary.side_bytes);
  out["index_bytes"] = value(summary.index_bytes);
  out["input_bytes"] = value(summary.input_bytes);
  out["weight_bytes"] = value(summary.weight_bytes);
  out["bases"] = value(summary.bases);
  out["files"] = value(summary.files);
  out["tensors"] = value(summary.tensors);
  return out;
}

Fields to_dict(const Plan& plan) {
  Fields out;
  out["input_bytes"] = value(plan.input_bytes);
  out["weight_bytes"] = value(plan.weight_bytes);
  out["estimated_bytes"] = value(plan.estimated_bytes);
  out["bases"] = value(plan.bases);
  out["tensors"] = value(plan.tensors);
  return out;
}

Fields to_dict(const Measurement& measurement) {
  Fields out;
  out["bytes"] = value(measurement.bytes);
  out["stored_bytes"] = value(measurement.stored_bytes);
  out["delta_seconds"] = value(measurement.delta_seconds);
  out["compress_seconds"] = value(measurement.compress_seconds);
  out["decompress_seconds"] = value(measurement.decompress_seconds);
  out["target"] = value(measurement.target);
  return out;
}

Fields to_dict(const LoraReport& report) {
  Fields out;
  out["adapter_bytes"] = value(report.adapter_bytes);
  out["residual_bytes"] = value(report.residual_bytes);
  out["modules"] = value(report.modules);
  out["saved_modules"] = value(report.saved_modules);
  out["left_out"] = value(report.left_out);
  out["largest_rank"] = value(report.largest_rank);
  out["energy_kept"] = value(report.energy_kept);
  out["tensors"] = value(report.tensors);
  return out;
}

}  // namespace finedelta::python
