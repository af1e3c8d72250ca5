#include "reader.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <span>
#include <tuple>
#include <vector>

#include "buffer.h"
#include "convert.h"
#include "operation.h"

namespace finedelta::python {

namespace {

class Reader {
 public:
  Reader(const nb::bytes& archive, const std::vector<nb::bytes>& bases, unsigned layers,
         unsigned threads, uint64_t memory)
      : reader_(open(path_from(archive), paths_from(bases), layers, threads, memory)) {}

  [[nodiscard]] Fields summary() const { return to_dict(reader_.summary()); }

  // Fills each buffer with as many bytes of a tensor, from one byte on. Buffers of one call must
  // not overlap.
  void read(const std::vector<std::tuple<size_t, uint64_t, Buffer>>& reads) const {
    std::vector<TensorRead> plain;
    for (const auto& [tensor, first, buffer] : reads) {
      plain.push_back({.tensor = tensor, .first = first, .to = bytes_of(buffer)});
    }
    const Status status = [&] {
      const nb::gil_scoped_release release;
      return reader_.read(plain);
    }();
    if (!status) raise(status.error());
  }

 private:
  static ArchiveReader open(const std::string& archive, const std::vector<std::string>& bases,
                            unsigned layers, unsigned threads, uint64_t memory) {
    ReadOptions options;
    options.layers = layers;
    options.threads = threads;
    options.memory = memory;
    auto reader = [&] {
      const nb::gil_scoped_release release;
      return ArchiveReader::open(archive, bases, options);
    }();
    if (!reader) raise(reader.error());
    return *std::move(reader);
  }

  ArchiveReader reader_;
};

struct DlpackType {
  std::string_view name;
  nb::dlpack::dtype type;
};

constexpr nb::dlpack::dtype type_of(nb::dlpack::dtype_code code, uint8_t bits) {
  return {.code = static_cast<uint8_t>(code), .bits = bits, .lanes = 1};
}

// Those of one item for each element, with the codes of DLPack 1.1.
constexpr DlpackType kDlpackTypes[] = {
    {"BOOL", type_of(nb::dlpack::dtype_code::Bool, 8)},
    {"U8", type_of(nb::dlpack::dtype_code::UInt, 8)},
    {"U16", type_of(nb::dlpack::dtype_code::UInt, 16)},
    {"U32", type_of(nb::dlpack::dtype_code::UInt, 32)},
    {"U64", type_of(nb::dlpack::dtype_code::UInt, 64)},
    {"I8", type_of(nb::dlpack::dtype_code::Int, 8)},
    {"I16", type_of(nb::dlpack::dtype_code::Int, 16)},
    {"I32", type_of(nb::dlpack::dtype_code::Int, 32)},
    {"I64", type_of(nb::dlpack::dtype_code::Int, 64)},
    {"F16", type_of(nb::dlpack::dtype_code::Float, 16)},
    {"BF16", type_of(nb::dlpack::dtype_code::Bfloat, 16)},
    {"F32", type_of(nb::dlpack::dtype_code::Float, 32)},
    {"F64", type_of(nb::dlpack::dtype_code::Float, 64)},
    {"C64", type_of(nb::dlpack::dtype_code::Complex, 64)},
    {"F8_E4M3", type_of(nb::dlpack::dtype_code::Float8_E4M3FN, 8)},
    {"F8_E5M2", type_of(nb::dlpack::dtype_code::Float8_E5M2, 8)},
    {"F8_E4M3FNUZ", type_of(nb::dlpack::dtype_code::Float8_E4M3FNUZ, 8)},
    {"F8_E5M2FNUZ", type_of(nb::dlpack::dtype_code::Float8_E5M2FNUZ, 8)},
    {"F8_E8M0", type_of(nb::dlpack::dtype_code::Float8_E8M0FNU, 8)},
};

nb::dlpack::dtype dlpack_type(std::string_view name) {
  for (const DlpackType& type : kDlpackTypes) {
    if (type.name == name) return type.type;
  }
  raise({ErrorCode::kUsage, "DLPack has no type for " + std::string(name)});
}

// A view of `owner`, an array of bytes, of which an item takes the last dimension.
nb::ndarray<nb::array_api> to_dlpack(const nb::object& owner, const std::string& dtype) {
  const auto bytes = nb::cast<nb::ndarray<uint8_t, nb::c_contig, nb::device::cpu>>(owner);
  std::vector<size_t> shape;
  for (size_t i = 0; i + 1 < bytes.ndim(); ++i) shape.push_back(bytes.shape(i));
  return {bytes.data(), shape.size(), shape.data(), owner, nullptr, dlpack_type(dtype)};
}

}  // namespace

void bind_reader(nb::module_& m) {
  using namespace nb::literals;
  nb::class_<Reader>(m, "Reader")
      .def(
          nb::init<const nb::bytes&, const std::vector<nb::bytes>&, unsigned, unsigned, uint64_t>(),
          "archive"_a, "bases"_a, "layers"_a, "threads"_a, "memory"_a)
      .def("summary", &Reader::summary)
      .def("read", &Reader::read, "reads"_a);
  m.def("dlpack", &to_dlpack, "data"_a, "dtype"_a);
}

}  // namespace finedelta::python
