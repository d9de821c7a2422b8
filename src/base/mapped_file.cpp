// POSIX mapping with the checks that turn odd paths into clear errors.
#include "base/mapped_file.h"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kylin {
namespace {

std::string_view kind_of(mode_t mode) {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "not a regular file";
}

// Only async-signal-safe calls.
void report_lost_page(int) {
    constexpr std::string_view message = "error: a mapped file was cut short while it was being read\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(1);
}

int all_ones = -1;  // a file of one page, for the handler: it can be given nothing

// mmap is a bare system call here. The page is exchanged in one step, so that no other thread reads zeros in between; and a file's pages
// come back after release().
void replace_lost_page(int signal, siginfo_t* info, void*) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    std::byte* const address = static_cast<std::byte*>(info->si_addr);
    std::byte* const lost = address - reinterpret_cast<uintptr_t>(address) % page;
    if (info->si_code != BUS_ADRERR || ::mmap(lost, page, PROT_READ, MAP_PRIVATE | MAP_FIXED, all_ones, 0) == MAP_FAILED)
        report_lost_page(signal);
}

void on_lost_page(struct sigaction action) { ::sigaction(SIGBUS, &action, nullptr); }

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
    const std::string name = path.string();
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) throw InputError(name, std::string("cannot be opened: ") + std::strerror(errno));
    struct stat status = {};
    if (::fstat(file.get(), &status) != 0) throw InputError(name, std::string("cannot be examined: ") + std::strerror(errno));
    if (!S_ISREG(status.st_mode)) throw InputError(name, "is " + std::string(kind_of(status.st_mode)) + ", a regular file is needed");
    if (status.st_size == 0) return MappedFile();
    const auto size = static_cast<size_t>(status.st_size);
    void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (address == MAP_FAILED) throw InputError(name, std::string("cannot be mapped: ") + std::strerror(errno));
    return {std::move(file), {static_cast<const std::byte*>(address), size}};
}

MappedFile::MappedFile(MappedFile&& other) noexcept : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    file_ = std::move(other.file_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> part) const {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const auto start = static_cast<size_t>(part.data() - bytes_.data());
    const size_t first = (start + page - 1) / page * page, end = (start + part.size()) / page * page;
    if (first < end)
        ::madvise(const_cast<std::byte*>(bytes_.data()) + first, end - first, MADV_DONTNEED);  // advice: failure costs memory only
}

void MappedFile::copy(std::span<const std::byte> part, std::byte* to) const {
    const auto n = ::pread(file_.get(), to, part.size(), part.data() - bytes_.data());
    if (n != static_cast<ssize_t>(part.size())) std::memcpy(to, part.data(), part.size());
}

void end_program_when_mapped_file_shrinks() {
    struct sigaction action = {};
    action.sa_handler = report_lost_page;
    on_lost_page(action);
}

void read_nan_where_mapped_file_shrinks() {
    const std::vector<std::byte> page(static_cast<size_t>(::sysconf(_SC_PAGESIZE)), std::byte{0xFF});
    FileDescriptor file(::memfd_create("lost page", MFD_CLOEXEC));
    if (!file || ::write(file.get(), page.data(), page.size()) != static_cast<ssize_t>(page.size()))
        throw InputError("memory", std::string("cannot be made a file: ") + std::strerror(errno));
    all_ones = file.release();
    struct sigaction action = {};
    action.sa_sigaction = replace_lost_page;
    action.sa_flags = SA_SIGINFO;
    on_lost_page(action);
}

}  // namespace kylin
