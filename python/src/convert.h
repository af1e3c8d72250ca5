// The library's results as what Python makes dataclasses of: dicts whose keys are their fields.
#ifndef FINEDELTA_PYTHON_CONVERT_H_
#define FINEDELTA_PYTHON_CONVERT_H_

#include <nanobind/nanobind.h>

#include <string>
#include <string_view>
#include <vector>

#include "finedelta/finedelta.h"

namespace finedelta::python {

namespace nb = nanobind;

using Fields = nb::typed<nb::dict, nb::str, nb::any>;

// Paths come and go as os.fsencode and os.fsdecode have them: not all are UTF-8.
[[nodiscard]] std::string path_from(const nb::bytes& path);
[[nodiscard]] std::vector<std::string> paths_from(const std::vector<nb::bytes>& paths);
[[nodiscard]] nb::object text(std::string_view bytes);

[[nodiscard]] Fields to_dict(const PackReport& report);
[[nodiscard]] Fields to_dict(const UnpackReport& report);
[[nodiscard]] Fields to_dict(const VerifyReport& report);
[[nodiscard]] Fields to_dict(const ExtractReport& report);
[[nodiscard]] Fields to_dict(const ApplyReport& report);
[[nodiscard]] Fields to_dict(const ArchiveSummary& summary);
[[nodiscard]] Fields to_dict(const DiffReport& report);
[[nodiscard]] Fields to_dict(const Plan& plan);
[[nodiscard]] Fields to_dict(const LoraReport& report);
[[nodiscard]] Fields to_dict(const Measurement& measurement);

}  // namespace finedelta::python

#endif  // FINEDELTA_PYTHON_CONVERT_H_
