// Preloaded into a program, makes its reads and writes of files misbehave as the variable IO_FAULT says:
//   short     every call moves half of what it was asked for
//   eintr     every other call is interrupted
//   EIO N     read or write N fails, ENOSPC N: write N, FSYNC N: fsync N
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string_view>
#include <sys/types.h>
#include <unistd.h>

namespace {

struct Fault {
    std::string_view kind;
    long at = 0, n = 0;
    Fault() {
        if (const char* text = std::getenv("IO_FAULT")) {
            kind = text;
            const size_t space = kind.find(' ');
            if (space != kind.npos) at = std::atol(text + space + 1);
            kind = kind.substr(0, space);
        }
    }
    // The error of this call; 0: none.
    int next(std::string_view what, int error) {
        if (kind == "eintr" && what != "FSYNC") return ++n % 2 ? EINTR : 0;
        return kind == what && ++n == at ? error : 0;
    }
};

Fault fault;

template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

size_t allowed(size_t n) { return fault.kind == "short" ? (n + 1) / 2 : n; }

int write_error() {
    const int error = fault.next("EIO", EIO);
    return error != 0 ? error : fault.kind == "eintr" ? 0 : fault.next("ENOSPC", ENOSPC);
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t n) {
    static auto* const call = real<ssize_t(int, const void*, size_t)>("write");
    if (fd <= STDERR_FILENO) return call(fd, data, n);
    if (const int error = write_error()) return errno = error, -1;
    return call(fd, data, allowed(n));
}

ssize_t pwrite(int fd, const void* data, size_t n, off_t offset) {
    static auto* const call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    if (const int error = write_error()) return errno = error, -1;
    return call(fd, data, allowed(n), offset);
}

ssize_t pread(int fd, void* data, size_t n, off_t offset) {
    static auto* const call = real<ssize_t(int, void*, size_t, off_t)>("pread");
    if (const int error = fault.next("EIO", EIO)) return errno = error, -1;
    return call(fd, data, allowed(n), offset);
}

int fsync(int fd) {
    static auto* const call = real<int(int)>("fsync");
    if (const int error = fault.next("FSYNC", EIO)) return errno = error, -1;
    return call(fd);
}
}
