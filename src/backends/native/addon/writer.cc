#include "writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace cria {
namespace {

constexpr uint64_t chunkBytes = 4 << 20;
/** How long the end of a process waits for a file. */
constexpr auto patience = std::chrono::milliseconds(4000);

}  // namespace

Writer::~Writer() {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (running_ && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  cancelled_ = true;
  if (thread_.joinable()) thread_.join();
}

bool Writer::start(std::string unfinished, std::string path, std::vector<Piece> pieces) {
  if (running_) return false;
  if (thread_.joinable()) thread_.join();
  running_ = true;
  thread_ = std::thread([this, unfinished = std::move(unfinished), path = std::move(path), pieces = std::move(pieces)] {
    write(unfinished, path, pieces);
    running_ = false;
  });
  return true;
}

void Writer::write(const std::string& unfinished, const std::string& path, const std::vector<Piece>& pieces) {
  const int file = open(unfinished.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  bool whole = true;
  for (const Piece& piece : pieces) whole = whole && writeAt(file, piece.data, piece.bytes, piece.offset);
  whole = close(file) == 0 && whole;
  // Not synced: readers check every byte, so a file that a power failure tore is only made again.
  if (!whole || rename(unfinished.c_str(), path.c_str()) != 0) unlink(unfinished.c_str());
}

bool Writer::writeAt(int file, const uint8_t* data, uint64_t bytes, uint64_t offset) {
  for (uint64_t done = 0; done < bytes;) {
    if (cancelled_) return false;
    const uint64_t rest = bytes - done;
    const ssize_t written = pwrite(file, data + done, rest < chunkBytes ? rest : chunkBytes, off_t(offset + done));
    if (written <= 0) return false;
    done += uint64_t(written);
  }
  return true;
}

}  // namespace cria
