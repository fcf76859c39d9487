// Writes parts of memory to a file beside the computation, on a thread of its own. The file appears under its name when it
// is whole.
#pragma once

#include <stdint.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace cria {

/** Bytes at an address, and where they go in the file. */
struct Piece {
  const uint8_t* data;
  uint64_t bytes;
  uint64_t offset;
};

class Writer {
 public:
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  /** Gives a file that is nearly done a moment, and any other up: what it reads is about to be freed. */
  ~Writer();

  /**
   * Starts to write the pieces, which must stay as they are, into the file `unfinished`, which is then renamed to `path`; one
   * file at a time. False where one is being written.
   */
  bool start(std::string unfinished, std::string path, std::vector<Piece> pieces);

 private:
  void write(const std::string& unfinished, const std::string& path, const std::vector<Piece>& pieces);
  bool writeAt(int file, const uint8_t* data, uint64_t bytes, uint64_t offset);

  std::thread thread_;
  std::atomic<bool> running_{false};
  std::atomic<bool> cancelled_{false};
};

}  // namespace cria
