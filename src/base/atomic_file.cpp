#include "base/atomic_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>

#include "base/error.h"

namespace kylin {
namespace {

constexpr size_t buffer_bytes = 1 << 20;

std::filesystem::path folder_of(const std::filesystem::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
    if (std::filesystem::is_directory(path_)) throw InputError(path_.string(), "is a directory");
    // Exclusive: the leftover of a process that died, or another writer's file, is never written to.
    for (int attempt = 0; !file_ && attempt < 100; ++attempt) {
        temporary_ = path_.string() + ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
        file_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (!file_ && errno != EEXIST) break;
    }
    if (!file_) {
        temporary_.clear();
        fail("create");
    }
    buffer_.reserve(buffer_bytes);
}

AtomicFile::~AtomicFile() {
    if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const size_t n = std::min(bytes.size(), buffer_bytes - buffer_.size());
        buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        bytes = bytes.subspan(n);
        if (buffer_.size() == buffer_bytes) flush();
    }
}

void AtomicFile::flush() {
    std::span<const std::byte> rest(buffer_);
    while (!rest.empty()) {
        const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("write");
        rest = rest.subspan(static_cast<size_t>(n));
    }
    buffer_.clear();
}

void AtomicFile::commit() {
    flush();
    if (::fsync(file_.get()) != 0) fail("sync");
    if (::close(file_.release()) != 0) fail("close");
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("rename");
    committed_ = true;
    // The rename itself is on disk once the folder is; a folder that cannot be synced is no reason to lose the file.
    const FileDescriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder) ::fsync(folder.get());
}

void AtomicFile::fail(const char* action) const {
    throw InputError(path_.string(), "cannot " + std::string(action) + ": " + std::strerror(errno));
}

}  // namespace kylin
