// Temporary file, fsync, rename, fsync of the folder: after a crash there is the old file or the new one.
#include "base/atomic_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace kylin {
namespace {

constexpr size_t buffer_bytes = size_t{1} << 20;

// A symbolic link stays: its target is replaced.
std::filesystem::path target_of(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_symlink(path, error)) return path;
    auto target = std::filesystem::weakly_canonical(path, error);
    return error ? path : target;
}

std::filesystem::path folder_of(const std::filesystem::path& path) { return path.has_parent_path() ? path.parent_path() : "."; }

}  // namespace

AtomicFile::AtomicFile(const std::filesystem::path& path) : path_(target_of(path)) {
    std::error_code error;
    const auto status = std::filesystem::status(path_, error);
    if (std::filesystem::is_directory(status)) throw InputError(path.string(), "is a directory, it cannot be written as a file");
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        throw InputError(path.string(), "is not a regular file, it would be replaced");
    open_unnamed();
    if (!file_) open_named();
    buffer_.reserve(buffer_bytes);
}

// A file without a name vanishes with the process, however that ends.
void AtomicFile::open_unnamed() {
#ifdef O_TMPFILE
    if (::access("/proc/self/fd", F_OK) == 0)
        file_ = FileDescriptor(::open(folder_of(path_).c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666));
#endif
}

void AtomicFile::open_named() {
    name_temporary([this] {
        file_ = FileDescriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        return bool(file_);
    });
}

void AtomicFile::link_unnamed() {
    const std::string open_file = "/proc/self/fd/" + std::to_string(file_.get());
    name_temporary([&] { return ::linkat(AT_FDCWD, open_file.c_str(), AT_FDCWD, temporary_.c_str(), AT_SYMLINK_FOLLOW) == 0; });
}

// Tries names that nobody has until `create` makes one; it tells by errno when a name is taken.
void AtomicFile::name_temporary(const std::function<bool()>& create) {
    const std::string stem = "." + path_.filename().string() + "." + std::to_string(::getpid()) + ".";
    for (int attempt = 0;; ++attempt) {
        temporary_ = folder_of(path_) / (stem + std::to_string(attempt) + ".tmp");
        if (create()) return;
        if (errno == EEXIST) continue;
        const int reason = errno;
        temporary_.clear();
        fail("cannot be created", reason);
    }
}

AtomicFile::~AtomicFile() {
    if (!committed_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    while (!bytes.empty()) {
        const auto part = bytes.first(std::min(bytes.size(), buffer_bytes - buffer_.size()));
        buffer_.insert(buffer_.end(), part.begin(), part.end());
        bytes = bytes.subspan(part.size());
        if (buffer_.size() == buffer_bytes) flush();
    }
}

void AtomicFile::grow(uint64_t size) {
    if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) fail("cannot be written", errno);
    size_ = size;
}

void AtomicFile::write_at(uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("cannot be written", errno);
        bytes = bytes.subspan(static_cast<size_t>(n));
        offset += static_cast<uint64_t>(n);
    }
}

void AtomicFile::flush() {
    std::span<const std::byte> rest(buffer_);
    while (!rest.empty()) {
        const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("cannot be written", errno);
        rest = rest.subspan(static_cast<size_t>(n));
    }
    buffer_.clear();
}

void AtomicFile::commit() {
    flush();
    if (::fsync(file_.get()) != 0) fail("cannot be made durable", errno);
    if (temporary_.empty()) link_unnamed();
    if (::close(file_.release()) != 0) fail("cannot be closed", errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be put in place", errno);
    committed_ = true;
    // The file is complete and visible; a folder that cannot be synced is no reason to call it failed.
    const FileDescriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder) ::fsync(folder.get());
}

void AtomicFile::fail(const char* what, int error) const {
    throw InputError(path_.string(), std::string(what) + ": " + std::strerror(error));
}

}  // namespace kylin
