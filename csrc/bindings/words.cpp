#include <cmath>
#include <mutex>
#include <string>
#include <vector>

#include "bindings/bindings.hpp"
#include "error.hpp"
#include "words/splitter.hpp"
#include "words/stemmer.hpp"
#include "words/word_shelf.hpp"

// Calls of one vocabulary's shelves follow each other, from whichever threads they come; nobody
// waits for the GIL with that lock held.
namespace astraweave::bindings {
namespace {

using words::Document;
using words::Vocabulary;
using words::WeightedTerm;
using words::WordShelf;

// The UTF-8 of Python strings while the GIL is released. ASCII is read where it stands; other text
// is copied, so that Python does not keep a second form of it, with half a character as "?".
class Texts {
 public:
  std::string_view add(py::handle text) {
    if (!PyUnicode_Check(text.ptr())) {
      throw Error(ErrorCode::kInput, "a text must be a str, not " + name_of(text));
    }
    py::object kept = py::reinterpret_borrow<py::object>(text);
    if (PyUnicode_IS_ASCII(text.ptr())) {
      const std::string_view view(static_cast<const char*>(PyUnicode_DATA(text.ptr())),
                                  static_cast<std::size_t>(PyUnicode_GET_LENGTH(text.ptr())));
      held_.push_back(std::move(kept));
      return view;
    }
    PyObject* bytes = PyUnicode_AsEncodedString(text.ptr(), "utf-8", "replace");
    if (bytes == nullptr) throw py::error_already_set();
    held_.push_back(py::reinterpret_steal<py::object>(bytes));
    return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
  }

  void add_terms(py::handle terms, std::vector<WeightedTerm>& to) {
    for (const py::handle pair : py::reinterpret_borrow<py::iterable>(terms)) {
      if (!PyTuple_Check(pair.ptr()) || PyTuple_GET_SIZE(pair.ptr()) != 2) {
        throw Error(ErrorCode::kInput,
                    "a term must be a tuple of a str and its weight, not " + name_of(pair));
      }
      const double weight = PyFloat_AsDouble(PyTuple_GET_ITEM(pair.ptr(), 1));
      if (PyErr_Occurred() != nullptr) throw py::error_already_set();
      if (!std::isfinite(weight) || std::abs(weight) > 1e6) {
        throw Error(ErrorCode::kInput, "the weight of a term must be finite and at most 1e6");
      }
      to.push_back({add(PyTuple_GET_ITEM(pair.ptr(), 0)), static_cast<float>(weight)});
    }
  }

 private:
  static std::string name_of(py::handle object) { return Py_TYPE(object.ptr())->tp_name; }

  std::vector<py::object> held_;
};

// Documents, and what their views look at.
struct Batch {
  Texts texts;
  std::vector<WeightedTerm> terms;
  std::vector<Document> documents;
};

void read(const py::sequence& texts, const std::optional<py::sequence>& further, Batch& batch) {
  const std::size_t n = texts.size();
  if (further && further->size() != n) {
    throw Error(ErrorCode::kInput, "there are " + std::to_string(n) + " texts and " +
                                       std::to_string(further->size()) + " lists of terms");
  }
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < n; ++i) {
    batch.documents.push_back({batch.texts.add(py::object(texts[i]))});
    if (further) batch.texts.add_terms(py::object((*further)[i]), batch.terms);
    ends.push_back(batch.terms.size());
  }
  for (std::size_t i = 0, start = 0; i < n; start = ends[i++]) {
    batch.documents[i].further = std::span(batch.terms).subspan(start, ends[i] - start);
  }
}

std::size_t size_of(const WordShelf& self) {
  const std::lock_guard lock(self.vocabulary()->callers());
  return self.size();
}

std::size_t bytes_of(const WordShelf& self) {
  const std::lock_guard lock(self.vocabulary()->callers());
  return self.bytes();
}

void append(WordShelf& self, const py::sequence& texts,
            const std::optional<py::sequence>& further) {
  Batch batch;
  read(texts, further, batch);
  const py::gil_scoped_release release;
  const std::lock_guard lock(self.vocabulary()->callers());
  self.append(batch.documents);
}

void check_row(const WordShelf& self, py::ssize_t row) {
  if (row < 0 || static_cast<std::size_t>(row) >= self.size()) {
    throw Error(ErrorCode::kInput,
                "there is no row " + std::to_string(row) + " among " + std::to_string(self.size()));
  }
}

void replace(WordShelf& self, py::ssize_t row, const py::str& text,
             const std::optional<py::sequence>& further) {
  Texts texts;
  std::vector<WeightedTerm> terms;
  if (further) texts.add_terms(*further, terms);
  const Document document{texts.add(text), terms};
  const py::gil_scoped_release release;
  const std::lock_guard lock(self.vocabulary()->callers());
  check_row(self, row);
  self.replace(static_cast<std::size_t>(row), document);
}

void remove(WordShelf& self, const std::vector<py::ssize_t>& rows) {
  const py::gil_scoped_release release;
  const std::lock_guard lock(self.vocabulary()->callers());
  std::vector<std::size_t> wanted;
  for (const py::ssize_t row : rows) {
    check_row(self, row);
    if (!wanted.empty() && static_cast<std::size_t>(row) <= wanted.back()) {
      throw Error(ErrorCode::kInput, "the rows to remove must ascend");
    }
    wanted.push_back(static_cast<std::size_t>(row));
  }
  self.remove(wanted);
}

py::array_t<float> score_words(const py::sequence& shelves, const py::iterable& query, float k1,
                               float b) {
  if (!(k1 >= 0.0F && k1 <= 100.0F && b >= 0.0F && b <= 1.0F)) {
    throw Error(ErrorCode::kInput, "k1 must be from 0 to 100 and b from 0 to 1");
  }
  std::vector<const WordShelf*> asked;
  std::size_t rows = 0;
  for (const py::handle shelf : shelves) {
    asked.push_back(&shelf.cast<const WordShelf&>());
    rows += size_of(*asked.back());
    if (asked.back()->vocabulary() != asked.front()->vocabulary()) {
      throw Error(ErrorCode::kInput, "shelves that are asked together share one vocabulary");
    }
  }
  Texts texts;
  std::vector<WeightedTerm> terms;
  texts.add_terms(query, terms);
  py::array_t<float> scores(static_cast<py::ssize_t>(rows));
  const std::span<float> to(scores.mutable_data(), rows);
  if (asked.empty()) return scores;
  const py::gil_scoped_release release;
  const std::lock_guard lock(asked.front()->vocabulary()->callers());
  words::score_words(asked, terms, {.k1 = k1, .b = b}, to);
  return scores;
}

py::list split_words(const py::str& text) {
  Texts texts;
  words::WordList found;
  words::split_words(texts.add(text), found);
  py::list result;
  for (std::size_t i = 0; i < found.size(); ++i) {
    result.append(py::str(found[i].data(), found[i].size()));
  }
  return result;
}

py::str stem(const py::str& word) {
  Texts texts;
  std::string copy(texts.add(word));
  copy.resize(words::stem(copy.data(), copy.size()));
  return py::str(copy);
}

}  // namespace

void bind_words(py::module_& module) {
  module.def("stem", &stem, py::arg("word"));
  module.def("split_words", &split_words, py::arg("text"));
  py::class_<Vocabulary, std::shared_ptr<Vocabulary>>(module, "Vocabulary")
      .def(py::init())
      .def_property_readonly("nbytes",
                             [](const Vocabulary& self) {
                               const std::lock_guard lock(self.callers());
                               return self.bytes();
                             })
      .def("__len__", [](const Vocabulary& self) {
        const std::lock_guard lock(self.callers());
        return self.size();
      });
  py::class_<WordShelf>(module, "WordShelf")
      .def(py::init<std::shared_ptr<Vocabulary>>(), py::arg("vocabulary").none(false))
      .def_property_readonly("nbytes", &bytes_of)
      .def("__len__", &size_of)
      .def("append", &append, py::arg("texts"), py::arg("further") = py::none())
      .def("replace", &replace, py::arg("row"), py::arg("text"), py::arg("further") = py::none())
      .def("remove", &remove, py::arg("rows"));
  const words::Bm25 usual;
  module.def("score_words", &score_words, py::arg("shelves"), py::arg("query"), py::kw_only(),
             py::arg("k1") = usual.k1, py::arg("b") = usual.b);
}

}  // namespace astraweave::bindings
