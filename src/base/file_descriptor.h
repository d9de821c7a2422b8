// Owns a POSIX file descriptor.
#pragma once
#include <unistd.h>
#include <utility>

namespace kylin {

class FileDescriptor {
public:
    explicit FileDescriptor(int fd = -1) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor() {
        if (fd_ >= 0) ::close(fd_);
    }

    explicit operator bool() const { return fd_ >= 0; }
    int get() const { return fd_; }
    // Gives up ownership, for callers that must see whether close() failed.
    int release() { return std::exchange(fd_, -1); }

private:
    int fd_;
};

}  // namespace kylin
