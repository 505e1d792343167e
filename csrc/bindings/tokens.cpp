#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/tokenizer_specs.hpp"
#include "error.hpp"
#include "tokens/appender.hpp"
#include "tokens/count_many.hpp"
#include "tokens/tokenizer.hpp"
#include "tokens/truncate.hpp"
#include "tokens/unicode.hpp"

namespace astraweave::bindings {
namespace {

using namespace tokens;  // NOLINT(google-build-using-namespace): the engine that is bound here

// A str as valid UTF-8: the string's own bytes, or a copy with U+FFFD for lone surrogates. Lives
// within a call that holds the str.
class Utf8Text {
 public:
  explicit Utf8Text(PyObject* text) {
    if (PyUnicode_IS_COMPACT_ASCII(text)) {  // the usual case: no call at all
      view_ = {static_cast<const char*>(PyUnicode_DATA(text)),
               static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
      return;
    }
    Py_ssize_t size = 0;
    if (const char* data = PyUnicode_AsUTF8AndSize(text, &size)) {
      view_ = {data, static_cast<std::size_t>(size)};
      return;
    }
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) throw py::error_already_set();
    PyErr_Clear();
    const auto bytes =
        py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text, "utf-8", "surrogatepass"));
    if (!bytes) throw py::error_already_set();
    copy_ = std::string(bytes);
    for (std::size_t at = 0; at + 2 < copy_.size(); ++at) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(copy_[at + i]); };
      if (byte(0) == 0xED && byte(1) >= 0xA0) copy_.replace(at, 3, "\xEF\xBF\xBD");
    }
    view_ = copy_;
  }
  Utf8Text(const Utf8Text&) = delete;
  Utf8Text& operator=(const Utf8Text&) = delete;
  std::string_view view() const noexcept { return view_; }

 private:
  std::string copy_;
  std::string_view view_;
};

// Lets other threads run while a text is worked on; for a short one that costs more than the work.
class ReleaseForLong {
 public:
  explicit ReleaseForLong(std::size_t bytes) {
    if (bytes > kShort) released_.emplace();
  }

 private:
  static constexpr std::size_t kShort = 4096;
  std::optional<py::gil_scoped_release> released_;
};

// The functions below are called for every spoken line, some of them with a microsecond to spend,
// so that they are plain C functions: pybind11's own way in takes a good part of that. Each is
// bound to a capsule that owns what it works on.
template <typename Owned>
Owned& owned_by(PyObject* capsule) {
  return *static_cast<Owned*>(PyCapsule_GetPointer(capsule, nullptr));
}

template <typename Work>
PyObject* guarded(Work&& work) noexcept {
  try {
    return work();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (...) {
    set_python_error();
  }
  return nullptr;
}

std::string type_name(PyObject* object) { return Py_TYPE(object)->tp_name; }

void require_text(PyObject* object) {
  if (PyUnicode_Check(object)) return;
  throw Error(ErrorCode::kInput, "text must be a str, not " + type_name(object));
}

// count(text, *, special=False)
PyObject* count_text(PyObject* capsule, PyObject* const* arguments, Py_ssize_t given,
                     PyObject* names) {
  const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
  bool special = false;
  if (named == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "special") == 0) {
    const int truth = PyObject_IsTrue(arguments[given]);
    if (truth < 0) return nullptr;
    special = truth == 1;
  } else if (named != 0) {
    given = -1;
  }
  if (given != 1) {
    PyErr_SetString(PyExc_TypeError, "count() takes a text and, by name, special");
    return nullptr;
  }
  return guarded([&] {
    require_text(arguments[0]);
    const Utf8Text text(arguments[0]);
    const auto& tokenizer = owned_by<const std::shared_ptr<Tokenizer>>(capsule);
    std::size_t count;
    {
      const ReleaseForLong release(text.view().size());
      count = tokenizer->count(text.view(), special);
    }
    return PyLong_FromSize_t(count);
  });
}

// An appender that threads may share: nobody waits for the lock with the GIL's owner waiting for
// him, since the GIL is never asked for while the lock is held.
class SharedAppender {
 public:
  explicit SharedAppender(Appender appender) : appender_(std::move(appender)) {}
  std::size_t append(std::string_view text) {
    const std::lock_guard lock(mutex_);
    return appender_.append(text);
  }
  std::size_t total() {
    const std::lock_guard lock(mutex_);
    return appender_.total();
  }
  std::shared_ptr<SharedAppender> copy() {
    const std::lock_guard lock(mutex_);
    return std::make_shared<SharedAppender>(appender_);
  }

 private:
  std::mutex mutex_;
  Appender appender_;
};

PyObject* append_text(PyObject* capsule, PyObject* text_object) {
  return guarded([&] {
    require_text(text_object);
    const Utf8Text text(text_object);
    auto& appender = *owned_by<const std::shared_ptr<SharedAppender>>(capsule);
    std::size_t total;
    {
      const ReleaseForLong release(text.view().size());
      total = appender.append(text.view());
    }
    return PyLong_FromSize_t(total);
  });
}

template <typename Owned>
py::object bound_to(PyMethodDef& method, std::shared_ptr<Owned> owned) {
  auto keeper = std::make_unique<std::shared_ptr<Owned>>(std::move(owned));
  const auto capsule =
      py::reinterpret_steal<py::object>(PyCapsule_New(keeper.get(), nullptr, [](PyObject* self) {
        delete static_cast<std::shared_ptr<Owned>*>(PyCapsule_GetPointer(self, nullptr));
      }));
  if (!capsule) throw py::error_already_set();
  static_cast<void>(keeper.release());  // the capsule's now
  auto function = py::reinterpret_steal<py::object>(PyCFunction_New(&method, capsule.ptr()));
  if (!function) throw py::error_already_set();
  return function;
}

// The table knows one type of function only; the flags say which it is.
PyMethodDef count_method = {
    "count", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&count_text)),
    METH_FASTCALL | METH_KEYWORDS, "count(text, *, special=False)\n--\n\nSee Tokenizer.count."};
PyMethodDef append_method = {"append", &append_text, METH_O,
                             "append(text)\n--\n\nSee Appender.append."};

std::vector<std::size_t> count_texts(const Tokenizer& tokenizer, const py::sequence& texts,
                                     bool special, std::size_t threads) {
  // The strings are kept alive here: the sequence may change while the GIL is released.
  std::vector<py::object> kept;
  std::vector<std::unique_ptr<Utf8Text>> read;
  std::vector<std::string_view> views;
  for (const py::handle text : texts) {
    require_text(text.ptr());
    kept.push_back(py::reinterpret_borrow<py::object>(text));
    read.push_back(std::make_unique<Utf8Text>(text.ptr()));
    views.push_back(read.back()->view());
  }
  const py::gil_scoped_release release;
  return count_many(tokenizer, views, special, threads);
}

py::str truncated(const std::shared_ptr<Tokenizer>& tokenizer, const py::str& text,
                  std::size_t most, bool special, bool from_end) {
  const Utf8Text utf8(text.ptr());
  std::string_view kept;
  {
    const ReleaseForLong release(utf8.view().size());
    kept = from_end ? keep_end(*tokenizer, utf8.view(), most, special)
                    : keep_start(tokenizer, utf8.view(), most, special);
  }
  return kept.size() == utf8.view().size() ? text : py::str(kept.data(), kept.size());
}

std::vector<TokenId> encode_text(const Tokenizer& tokenizer, const py::str& text, bool special) {
  const Utf8Text utf8(text.ptr());
  std::vector<TokenId> ids;
  const py::gil_scoped_release release;
  tokenizer.encode(utf8.view(), special, ids);
  return ids;
}

py::list encode(const Tokenizer& tokenizer, const py::str& text, bool special) {
  const std::vector<TokenId> ids = encode_text(tokenizer, text, special);
  py::list out(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) out[i] = py::int_(ids[i]);
  return out;
}

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool skip_special) {
  const py::gil_scoped_release release;
  return tokenizer.decode(ids, skip_special);
}

}  // namespace

void bind_tokens(py::module_& module) {
  py::class_<Tokenizer, std::shared_ptr<Tokenizer>>(module, "Tokenizer")
      .def(py::init(&make_tokenizer), py::kw_only(), py::arg("model"), py::arg("tokens"),
           py::arg("merges"), py::arg("options"), py::arg("normalizer"), py::arg("splitter"),
           py::arg("added"), py::arg("decoder"))
      .def("encode", &encode, py::arg("text"), py::arg("special"))
      .def("counter",
           [](std::shared_ptr<Tokenizer> self) { return bound_to(count_method, std::move(self)); })
      .def("count_many", &count_texts, py::arg("texts"), py::arg("special"), py::arg("threads"))
      .def("truncate", &truncated, py::arg("text"), py::arg("max_tokens"), py::arg("special"),
           py::arg("from_end"))
      .def("decode", &decode, py::arg("ids"), py::arg("skip_special"))
      .def(
          "token_to_id",
          [](const Tokenizer& self, const std::string& token) -> std::optional<TokenId> {
            const TokenId id = self.vocabulary().id(token);
            return id == kNoToken ? std::nullopt : std::optional(id);
          },
          py::arg("token"))
      .def(
          "id_to_token",
          [](const Tokenizer& self, TokenId id) { return std::string(self.checked_token(id)); },
          py::arg("token_id"))
      .def("__len__", [](const Tokenizer& self) { return self.vocabulary().size(); });
  py::class_<SharedAppender, std::shared_ptr<SharedAppender>>(module, "Appender")
      .def(py::init([](std::shared_ptr<Tokenizer> tokenizer, bool special) {
             return std::make_shared<SharedAppender>(Appender(std::move(tokenizer), special));
           }),
           py::arg("tokenizer"), py::kw_only(), py::arg("special"))
      .def("appending",
           [](std::shared_ptr<SharedAppender> self) {
             return bound_to(append_method, std::move(self));
           })
      .def("copy", &SharedAppender::copy)
      .def_property_readonly("total", &SharedAppender::total);
  py::class_<StreamDecoder>(module, "StreamDecoder")
      .def(py::init([](std::shared_ptr<Tokenizer> tokenizer, bool skip_special) {
             return std::make_unique<StreamDecoder>(std::move(tokenizer), skip_special);
           }),
           py::arg("tokenizer"), py::kw_only(), py::arg("skip_special"))
      .def("push", &StreamDecoder::push, py::arg("token_id"))
      .def("flush", &StreamDecoder::flush);
}

}  // namespace astraweave::bindings
