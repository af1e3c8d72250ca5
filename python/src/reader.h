// ArchiveReader for Python.
#ifndef FINEDELTA_PYTHON_READER_H_
#define FINEDELTA_PYTHON_READER_H_

#include <nanobind/nanobind.h>

namespace finedelta::python {

void bind_reader(nanobind::module_& m);

}  // namespace finedelta::python

#endif  // FINEDELTA_PYTHON_READER_H_
