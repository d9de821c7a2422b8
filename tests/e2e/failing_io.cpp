// Preloaded into a program, makes its reads and writes of files misbehave as the variable IO_FAULT says:
//   short     every call moves half of what it was asked for
//   eintr     every other call is interrupted
//   EIO N     write N fails, ENOSPC N: the same for want of space, READ N: read N, FSYNC N: fsync N
// and its sockets as SOCKET_FAULT says:
//   short            every recv moves half of what it was asked for (a short send means that the peer reads slowly, nothing else)
//   eintr            every other recv and send is interrupted
//   ECONNRESET N     one recv or send in N fails, EMFILE N: one accept in N
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

struct Fault {
    std::string_view kind;
    long at = 0;
    std::atomic<long> n{0};
    explicit Fault(const char* variable) {
        if (const char* text = std::getenv(variable)) {
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
    // The same for a fault of one call in `at`: scattered, because those of one connection come in a fixed order.
    int again(std::string_view what, int error) {
        if (kind == "eintr") return ++n % 2 ? EINTR : 0;
        return kind == what && (static_cast<unsigned long>(++n) * 0x9E3779B97F4A7C15 >> 32) % static_cast<unsigned long>(at) == 0 ? error
                                                                                                                                  : 0;
    }
    [[nodiscard]] size_t allowed(size_t bytes) const { return kind == "short" ? (bytes + 1) / 2 : bytes; }
};

Fault fault("IO_FAULT"), socket_fault("SOCKET_FAULT");

template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

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
    return call(fd, data, fault.allowed(n));
}

ssize_t pwrite(int fd, const void* data, size_t n, off_t offset) {
    static auto* const call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    if (const int error = write_error()) return errno = error, -1;
    return call(fd, data, fault.allowed(n), offset);
}

ssize_t pread(int fd, void* data, size_t n, off_t offset) {
    static auto* const call = real<ssize_t(int, void*, size_t, off_t)>("pread");
    if (const int error = fault.next("READ", EIO)) return errno = error, -1;
    return call(fd, data, fault.allowed(n), offset);
}

int fsync(int fd) {
    static auto* const call = real<int(int)>("fsync");
    if (const int error = fault.next("FSYNC", EIO)) return errno = error, -1;
    return call(fd);
}

ssize_t recv(int fd, void* data, size_t n, int flags) {
    static auto* const call = real<ssize_t(int, void*, size_t, int)>("recv");
    if (const int error = socket_fault.again("ECONNRESET", ECONNRESET)) return errno = error, -1;
    return call(fd, data, socket_fault.allowed(n), flags);
}

ssize_t send(int fd, const void* data, size_t n, int flags) {
    static auto* const call = real<ssize_t(int, const void*, size_t, int)>("send");
    if (const int error = socket_fault.again("ECONNRESET", ECONNRESET)) return errno = error, -1;
    return call(fd, data, n, flags);
}

int accept(int fd, sockaddr* address, socklen_t* n) {
    static auto* const call = real<int(int, sockaddr*, socklen_t*)>("accept");
    if (const int error = socket_fault.again("EMFILE", EMFILE)) return errno = error, -1;
    return call(fd, address, n);
}
}
