// finedelta._core: what the package `finedelta` is made of. Its Python side checks and names the
// arguments; nothing here is public.
#include <nanobind/nanobind.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "buffer.h"
#include "convert.h"
#include "operation.h"
#include "reader.h"

namespace finedelta::python {

namespace {

using Paths = std::vector<nb::bytes>;

template <typename T>
T with_limits(T options, unsigned threads, uint64_t memory) {
  options.threads = threads;
  options.memory = memory;
  return options;
}

std::optional<LossyTarget> target_of(const std::optional<std::string>& kind, double value) {
  if (!kind) return std::nullopt;
  using enum LossyTarget::Kind;
  if (*kind == "bits") return LossyTarget{.kind = kBits, .value = value};
  if (*kind == "size") return LossyTarget{.kind = kBytes, .value = value};
  if (*kind == "ratio") return LossyTarget{.kind = kRatio, .value = value};
  return LossyTarget{.kind = kMaxError, .value = value};
}

Fields py_pack(const Paths& bases, const nb::bytes& fine_tune, const nb::bytes& archive, int level,
               const std::optional<std::string>& lossy, double target, bool progressive, bool all,
               bool force, unsigned threads, uint64_t memory, const nb::object& progress) {
  auto options = with_limits(PackOptions{}, threads, memory);
  options.level = level;
  options.lossy = target_of(lossy, target);
  options.progressive = progressive;
  options.all = all;
  options.force = force;
  return run_operation(options, progress,
                       [&, from = paths_from(bases), tune = path_from(fine_tune),
                        to = path_from(archive)] { return pack(from, tune, to, options); });
}

Fields py_unpack(const nb::bytes& archive, const nb::bytes& output, const Paths& bases,
                 unsigned layers, bool weights_only, bool sha256, bool force, unsigned threads,
                 uint64_t memory, const nb::object& progress) {
  auto options = with_limits(UnpackOptions{}, threads, memory);
  options.layers = layers;
  options.weights_only = weights_only;
  options.sha256 = sha256;
  options.force = force;
  return run_operation(options, progress,
                       [&, from = paths_from(bases), packed = path_from(archive),
                        to = path_from(output)] { return unpack(from, packed, to, options); });
}

Fields py_verify(const nb::bytes& archive, const Paths& bases, unsigned threads, uint64_t memory,
                 const nb::object& progress) {
  auto options = with_limits(Options{}, threads, memory);
  return run_operation(options, progress,
                       [&, packed = path_from(archive), from = paths_from(bases)] {
                         return verify(packed, from, options);
                       });
}

Fields py_inspect(const nb::bytes& archive, uint64_t memory) {
  auto options = with_limits(Options{}, 0, memory);
  return run_operation(options, nb::none(),
                       [&, packed = path_from(archive)] { return inspect(packed, options); });
}

Fields py_plan(const Paths& bases, const nb::bytes& fine_tune, int level, bool all,
               unsigned threads, uint64_t memory, const nb::object& progress) {
  auto options = with_limits(PlanOptions{}, threads, memory);
  options.level = level;
  options.all = all;
  return run_operation(options, progress,
                       [&, from = paths_from(bases), tune = path_from(fine_tune)] {
                         return plan(from, tune, options);
                       });
}

Fields py_extract(const nb::bytes& archive, const std::vector<std::string>& selections,
                  const nb::bytes& output, const Paths& bases, unsigned layers, bool force,
                  unsigned threads, uint64_t memory, const nb::object& progress) {
  auto options = with_limits(ExtractOptions{}, threads, memory);
  options.layers = layers;
  options.force = force;
  return run_operation(
      options, progress,
      [&, from = paths_from(bases), packed = path_from(archive), to = path_from(output)] {
        return extract(from, packed, selections, to, options);
      });
}

Fields py_lora(const nb::bytes& base, const nb::bytes& fine_tune, const nb::bytes& output,
               std::optional<uint64_t> size, std::optional<double> energy,
               std::optional<uint64_t> max_rank, bool plus_residual, bool force, unsigned threads,
               uint64_t memory, const nb::object& progress) {
  auto options = with_limits(LoraOptions{}, threads, memory);
  options.size = size;
  options.energy = energy;
  options.max_rank = max_rank;
  options.plus_residual = plus_residual;
  options.force = force;
  return run_operation(options, progress,
                       [&, from = path_from(base), tune = path_from(fine_tune),
                        to = path_from(output)] { return lora(from, tune, to, options); });
}

Fields py_diff(const nb::bytes& base, const nb::bytes& fine_tune, bool rank, unsigned threads,
               uint64_t memory, const nb::object& progress) {
  auto options = with_limits(DiffOptions{}, threads, memory);
  options.rank = rank;
  return run_operation(options, progress, [&, from = path_from(base), tune = path_from(fine_tune)] {
    return diff(from, tune, options);
  });
}

// Dtype, base and fine-tune.
using Pair = std::tuple<std::string, ConstBuffer, ConstBuffer>;

Fields py_measure(const std::vector<Pair>& pairs, int level, unsigned threads) {
  auto options = with_limits(MeasureOptions{}, threads, kDefaultMemory);
  options.level = level;
  std::vector<TensorPair> plain;
  for (const auto& [dtype, base, fine_tune] : pairs) {
    plain.push_back({.dtype = dtype, .base = bytes_of(base), .fine_tune = bytes_of(fine_tune)});
  }
  return run_operation(options, nb::none(), [&] { return measure(plain, options); });
}

// Name, dtype, shape and bytes of a tensor.
using Tensor = std::tuple<std::string, std::string, std::vector<uint64_t>, Buffer>;

Fields py_apply(const nb::bytes& archive, const std::vector<Tensor>& tensors, bool full,
                unsigned layers, unsigned threads, uint64_t memory, const nb::object& progress) {
  auto options = with_limits(ApplyOptions{}, threads, memory);
  options.check = full ? ApplyCheck::kFull : ApplyCheck::kTouched;
  options.layers = layers;
  std::vector<TensorInMemory> model;
  for (const auto& [name, dtype, shape, data] : tensors) {
    model.push_back({.name = name, .dtype = dtype, .shape = shape, .data = bytes_of(data)});
  }
  return run_operation(options, progress,
                       [&, packed = path_from(archive)] { return apply(packed, model, options); });
}

Fields py_lora_from_archive(const nb::bytes& archive, const nb::bytes& output, bool force,
                            unsigned threads, uint64_t memory, const nb::object& progress) {
  auto options = with_limits(LoraFromArchiveOptions{}, threads, memory);
  options.force = force;
  return run_operation(options, progress, [&, packed = path_from(archive), to = path_from(output)] {
    return lora_from_archive(packed, to, options);
  });
}

}  // namespace

NB_MODULE(_core, m) {
  using namespace nb::literals;
  m.attr("VERSION") = text(version());
  m.attr("DEFAULT_MEMORY") = kDefaultMemory;
  m.attr("LEAST_MEMORY") = kLeastMemory;
  m.def("default_threads", &default_threads);
  m.attr("DEFAULT_LEVEL") = kDefaultLevel;
  m.def("pack", &py_pack, "bases"_a, "fine_tune"_a, "archive"_a, "level"_a, "lossy"_a.none(),
        "target"_a, "progressive"_a, "all"_a, "force"_a, "threads"_a, "memory"_a,
        "progress"_a.none());
  m.def("unpack", &py_unpack, "archive"_a, "output"_a, "bases"_a, "layers"_a, "weights_only"_a,
        "sha256"_a, "force"_a, "threads"_a, "memory"_a, "progress"_a.none());
  m.def("verify", &py_verify, "archive"_a, "bases"_a, "threads"_a, "memory"_a, "progress"_a.none());
  m.def("inspect", &py_inspect, "archive"_a, "memory"_a);
  m.def("plan", &py_plan, "bases"_a, "fine_tune"_a, "level"_a, "all"_a, "threads"_a, "memory"_a,
        "progress"_a.none());
  m.def("extract", &py_extract, "archive"_a, "selections"_a, "output"_a, "bases"_a, "layers"_a,
        "force"_a, "threads"_a, "memory"_a, "progress"_a.none());
  m.def("lora", &py_lora, "base"_a, "fine_tune"_a, "output"_a, "size"_a.none(), "energy"_a.none(),
        "max_rank"_a.none(), "plus_residual"_a, "force"_a, "threads"_a, "memory"_a,
        "progress"_a.none());
  m.def("lora_from_archive", &py_lora_from_archive, "archive"_a, "output"_a, "force"_a, "threads"_a,
        "memory"_a, "progress"_a.none());
  m.def("diff", &py_diff, "base"_a, "fine_tune"_a, "rank"_a, "threads"_a, "memory"_a,
        "progress"_a.none());
  m.def("measure", &py_measure, "pairs"_a, "level"_a, "threads"_a);
  m.def("apply", &py_apply, "archive"_a, "tensors"_a, "full"_a, "layers"_a, "threads"_a, "memory"_a,
        "progress"_a.none());
  bind_reader(m);
}

}  // namespace finedelta::python
