#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "lora/adapter.h"
#include "safetensors/header.h"

namespace finedelta::peft {

namespace {

struct Placed {
  safetensors::Tensor tensor;
  uint64_t* offset = nullptr;
};

void place_factors(std::vector<Placed>& placed, const AdapterModule& module, size_t rank,
                   uint64_t& a, uint64_t& b) {
  const bool is_linear = module.kind == ModuleKind::kLinear;
  const uint64_t inputs = is_linear ? module.columns : module.rows;
  const uint64_t outputs = is_linear ? module.rows : module.columns;
  placed.push_back({{.name = name_of_a(module.name, module.kind),
                     .dtype = module.dtype,
                     .shape = {rank, inputs}},
                    &a});
  placed.push_back({{.name = name_of_b(module.name, module.kind),
                     .dtype = module.dtype,
                     .shape = {outputs, rank}},
                    &b});
}

}  // namespace

Status check_names(const Adapter& adapter) {
  std::set<std::string> names;
  std::string again;
  const auto add = [&](std::string name) {
    const auto [place, is_new] = names.insert(std::move(name));
    if (!is_new) again = *place;
  };
  for (const AdapterModule& module : adapter.modules) {
    add(name_of_a(module.name, module.kind));
    add(name_of_b(module.name, module.kind));
    if (module.tied.empty()) continue;
    add(name_of_a(module.tied, ModuleKind::kLinear));
    add(name_of_b(module.tied, ModuleKind::kLinear));
  }
  for (const WholeTensor& whole : adapter.whole) add(whole.name);
  if (again.empty()) return {};
  return fail(ErrorCode::kDamaged, "an adapter of these models would have two tensors called {}",
              quote(again));
}

AdapterLayout lay_out(const Adapter& adapter, const Ranks& ranks) {
  AdapterLayout layout;
  for (auto* offsets : {&layout.a, &layout.b, &layout.tied_a, &layout.tied_b}) {
    offsets->resize(adapter.modules.size());
  }
  layout.whole.resize(adapter.whole.size());
  std::vector<Placed> placed;
  for (size_t i = 0; i < adapter.modules.size(); ++i) {
    const AdapterModule& module = adapter.modules[i];
    if (ranks[i] == 0) continue;
    place_factors(placed, module, ranks[i], layout.a[i], layout.b[i]);
    if (module.tied.empty()) continue;
    AdapterModule tied = module;
    tied.name = module.tied;
    tied.kind = ModuleKind::kLinear;
    place_factors(placed, tied, ranks[i], layout.tied_a[i], layout.tied_b[i]);
  }
  for (size_t i = 0; i < adapter.whole.size(); ++i) {
    const WholeTensor& whole = adapter.whole[i];
    placed.push_back(
        {{.name = whole.name, .dtype = whole.dtype, .shape = whole.shape}, &layout.whole[i]});
  }
  // In the order of the reference implementation, which keeps data aligned: wide types first.
  std::ranges::sort(placed, {}, [](const Placed& one) {
    return std::tuple(-static_cast<int>(dtype_bits(one.tensor.dtype)),
                      std::string_view(one.tensor.name));
  });
  safetensors::CanonicalHeader header(R"({"format":"pt"})");
  for (const Placed& one : placed) header.add(one.tensor.name, one.tensor.dtype, one.tensor.shape);
  layout.header = header.finish();
  layout.size = safetensors::kLengthSize + layout.header.size();
  for (const Placed& one : placed) {
    *one.offset = layout.size;
    layout.size += safetensors::tensor_bytes(one.tensor.dtype, one.tensor.shape).value_or(0);
  }
  return layout;
}

}  // namespace finedelta::peft
