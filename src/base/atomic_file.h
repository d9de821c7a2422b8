// A file that appears whole or not at all: bytes go to a temporary file beside it, which takes its name at the end.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "base/file_descriptor.h"

namespace kylin {

class AtomicFile {
public:
    // Throws InputError when the folder cannot be written to, or `path` is there and is not a regular file.
    explicit AtomicFile(const std::filesystem::path& path);
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();  // without commit(): removes the temporary file, `path` is as before

    void write(std::span<const std::byte> bytes);  // after what was written before
    // The two for files that are not written in order: bytes nobody wrote are 0. Not to be mixed with write().
    void grow(uint64_t size);
    void write_at(uint64_t offset, std::span<const std::byte> bytes);
    // Makes the bytes durable, then visible under the path. Nothing may be written afterwards.
    void commit();

    uint64_t size() const { return size_; }
    const std::filesystem::path& path() const { return path_; }

private:
    void open_unnamed();
    void open_named();
    void link_unnamed();
    void name_temporary(const std::function<bool()>& create);
    void flush();
    [[noreturn]] void fail(const char* what, int error) const;

    std::filesystem::path path_, temporary_;  // temporary_ is empty while the file has no name
    FileDescriptor file_;
    std::vector<std::byte> buffer_;
    uint64_t size_ = 0;
    bool committed_ = false;
};

}  // namespace kylin
