// A regular file, mapped for reading. The mapping lives as long as the object.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

#include "base/file_descriptor.h"

namespace kylin {

class MappedFile {
public:
    MappedFile() = default;
    // Throws InputError for anything but a readable regular file; never waits for a FIFO.
    static MappedFile open(const std::filesystem::path& path);
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return bytes_; }
    // Gives back the memory of the whole pages in `part`, which are read from the file again when they are next touched.
    void release(std::span<const std::byte> part) const;
    // Copies `part` without mapping its pages, which would count as this program's memory. What the file has lost is as in bytes().
    void copy(std::span<const std::byte> part, std::byte* to) const;

private:
    MappedFile(FileDescriptor file, std::span<const std::byte> bytes) : file_(std::move(file)), bytes_(bytes) {}
    FileDescriptor file_;
    std::span<const std::byte> bytes_;
};

// Someone may cut a file short while it is mapped; reading the lost pages raises SIGBUS. For programs, not libraries:
// from here on that ends the process with one line on stderr and exit status 1 instead of a crash.
void end_program_when_mapped_file_shrinks();
// For programs that go on without the file, once: from here on lost pages read as bytes 0xFF, which are NaN in every type of weights, so
// that whatever needs them is found out. What was lost of the last page that is left reads as zeros: that is the kernel's doing.
void read_nan_where_mapped_file_shrinks();

}  // namespace kylin
