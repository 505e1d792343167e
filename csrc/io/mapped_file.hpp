// The content of a file, mapped rather than read: pages come when they are touched.
//
// Two views of the same content: original() is what the file holds; copy() can be written to, and
// what is written stays in this process. The file must not be shortened or written to while it is
// mapped; replacing it (io/file.hpp) does no harm. On Windows a mapped file could not be replaced,
// so there it is read into memory, and both views are one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <new>
#include <string_view>

namespace astraweave::io {

class MappedFile {
 public:
  // Throws Error(kStorage).
  explicit MappedFile(const std::filesystem::path& path);
  // A copy of `content` in memory of our own, in both views.
  explicit MappedFile(std::string_view content);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  // Whether original() stays as it is when copy() is written to.
  bool mapped() const noexcept { return mapped_; }
  std::string_view original() const noexcept { return {original_, size_}; }
  // Begins at a multiple of 64.
  std::byte* copy() const noexcept { return copy_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  void hold(std::string_view content);

  std::size_t size_ = 0;
  const char* original_ = nullptr;
  std::byte* copy_ = nullptr;
  bool mapped_ = false;
};

}  // namespace astraweave::io
