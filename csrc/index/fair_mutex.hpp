// A shared mutex whose writer is not kept out by a stream of readers: while a writer waits, it
// holds the door that every newcomer has to pass.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace astraweave::index {

class FairSharedMutex {
 public:
  void lock() {
    const std::lock_guard<std::mutex> door(door_);
    mutex_.lock();
  }
  void unlock() { mutex_.unlock(); }
  void lock_shared() {
    const std::lock_guard<std::mutex> door(door_);
    mutex_.lock_shared();
  }
  void unlock_shared() { mutex_.unlock_shared(); }

 private:
  std::mutex door_;
  std::shared_mutex mutex_;
};

}  // namespace astraweave::index
