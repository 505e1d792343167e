#include "io/mapped_file.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "error.hpp"
#include "io/file.hpp"

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace astraweave::io {

#if defined(_WIN32)

MappedFile::MappedFile(const std::filesystem::path& path) { hold(read_file(path)); }

#else

namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path, int reason) {
  throw Error(ErrorCode::kStorage, std::string("cannot ") + what + " '" + path.string() +
                                       "': " + std::generic_category().message(reason));
}

// Closes itself.
struct Descriptor {
  int number;
  ~Descriptor() { ::close(number); }
};

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) fail("open", path, errno);
  const Descriptor file{opened};
  struct stat about {};
  if (::fstat(file.number, &about) != 0) fail("read", path, errno);
  if (S_ISDIR(about.st_mode)) fail("read", path, EISDIR);
  size_ = static_cast<std::size_t>(about.st_size);
  if (size_ == 0) return;
  void* original = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (original == MAP_FAILED) fail("map", path, errno);
  void* copy = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.number, 0);
  if (copy == MAP_FAILED) {
    const int reason = errno;
    ::munmap(original, size_);
    fail("map", path, reason);
  }
  original_ = static_cast<const char*>(original);
  copy_ = static_cast<std::byte*>(copy);
  mapped_ = true;
}

#endif

MappedFile::MappedFile(std::string_view content) { hold(content); }

void MappedFile::hold(std::string_view content) {
  size_ = content.size();
  if (size_ == 0) return;
  copy_ = static_cast<std::byte*>(::operator new(size_, kAlignment));
  std::memcpy(copy_, content.data(), size_);
  original_ = reinterpret_cast<const char*>(copy_);
}

MappedFile::~MappedFile() {
  if (copy_ == nullptr) return;
#if !defined(_WIN32)
  if (mapped_) {
    ::munmap(const_cast<char*>(original_), size_);
    ::munmap(copy_, size_);
    return;
  }
#endif
  ::operator delete(copy_, kAlignment);
}

}  // namespace astraweave::io
