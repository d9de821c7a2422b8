// A regular file, mapped for reading. The mapping lives as long as the object.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>

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

private:
    explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}
    std::span<const std::byte> bytes_;
};

// Someone may cut a file short while it is mapped; reading the lost pages raises SIGBUS. For programs, not libraries:
// from here on that ends the process with one line on stderr and exit status 1 instead of a crash.
void end_program_when_mapped_file_shrinks();
// For programs that go on without the file, once: from here on lost pages read as bytes 0xFF, which are NaN in every type of weights, so
// that whatever needs them is found out. What was lost of the last page that is left reads as zeros: that is the kernel's doing.
void read_nan_where_mapped_file_shrinks();

}  // namespace kylin
