#include "bindings/bindings.hpp"
#include "error.hpp"

namespace astraweave::bindings {
namespace {

const char* class_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInput:
      return "InputError";
    case ErrorCode::kConfig:
      return "ConfigError";
    case ErrorCode::kCapacity:
      return "CapacityError";
    case ErrorCode::kCorruptData:
      return "CorruptDataError";
    case ErrorCode::kFormatVersion:
      return "FormatVersionError";
    case ErrorCode::kModel:
      return "ModelError";
    case ErrorCode::kStorage:
      return "StorageError";
    case ErrorCode::kUsage:
      break;
  }
  return "UsageError";
}

void set_python_error(const Error& error) {
  const py::object type = py::module_::import("astraweave.errors").attr(class_name(error.code()));
  PyErr_SetString(type.ptr(), error.what());
}

}  // namespace

void set_python_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    set_python_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

void add_method(const py::object& type, const char* name, FastMethod function) {
  // A descriptor points at its definition for ever, and so does the type.
  auto* definition =
      new PyMethodDef{name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)),
                      METH_FASTCALL, nullptr};
  type.attr(name) = py::reinterpret_steal<py::object>(
      PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(type.ptr()), definition));
}

void register_errors(py::module_& module) {
  (void)module;
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      set_python_error(error);
    }
  });
}

}  // namespace astraweave::bindings
