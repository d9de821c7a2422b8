// A file that appears whole or not at all: written beside its place, synced, renamed over it by commit().
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "base/file_descriptor.h"

namespace kylin {

// Buffered. Every call throws InputError naming the path when the file cannot be written; without commit() nothing stays behind.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void commit();

private:
    void flush();
    [[noreturn]] void fail(const char* action) const;

    std::filesystem::path path_, temporary_;
    FileDescriptor file_;
    std::vector<std::byte> buffer_;
    bool committed_ = false;
};

}  // namespace kylin
