#include "trace_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <unistd.h>

namespace kylin::reference {

constexpr size_t length_bytes = 8;

TraceFile::TraceFile(std::string path, size_t header_room)
    : path_(std::move(path)), unfinished_(path_ + ".part"), header_room_((header_room + 7) / 8 * 8) {
    file_ = open(unfinished_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file_ < 0) fail("cannot write");
}

TraceFile::~TraceFile() {
    if (file_ < 0) return;
    close(file_);
    unlink(unfinished_.c_str());
}

void TraceFile::declare(const std::string& name, const std::vector<size_t>& shape) {
    size_t n_elements = 1;
    for (const size_t n : shape) n_elements *= n;
    const auto [entry, added] = tensors_.try_emplace(name, Tensor{shape, n_elements, data_size_});
    if (!added) {
        if (entry->second.shape != shape) throw std::runtime_error("stage " + name + " changed its shape between two passes");
        return;
    }
    order_.push_back(name);
    data_size_ += n_elements * sizeof(float);
    if (ftruncate(file_, static_cast<off_t>(length_bytes + header_room_ + data_size_)) != 0) fail("cannot grow");
}

void TraceFile::write(const std::string& name, size_t first, std::span<const float> values) {
    const Tensor& tensor = tensors_.at(name);
    if (first > tensor.n_elements || values.size() > tensor.n_elements - first)
        throw std::runtime_error("stage " + name + " has more rows than tokens");
    write_at(length_bytes + header_room_ + tensor.begin + first * sizeof(float), values.data(), values.size_bytes());
}

void TraceFile::finish() {
    nlohmann::ordered_json header;
    header["__metadata__"] = metadata_;
    for (const std::string& name : order_) {
        const Tensor& tensor = tensors_.at(name);
        header[name] = {
            {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.begin + tensor.n_elements * sizeof(float)}}};
    }
    std::string text = header.dump();
    if (text.size() > header_room_) throw std::runtime_error(path_ + ": the header outgrew the room kept for it");
    text.resize(header_room_, ' ');
    const uint64_t length = header_room_;
    write_at(0, &length, sizeof length);
    write_at(length_bytes, text.data(), text.size());
    const int file = file_;
    file_ = -1;
    if (fsync(file) != 0 || close(file) != 0 || rename(unfinished_.c_str(), path_.c_str()) != 0) {
        const int error = errno;
        unlink(unfinished_.c_str());
        errno = error;
        fail("cannot finish");
    }
}

void TraceFile::write_at(size_t offset, const void* bytes, size_t n) {
    const char* next = static_cast<const char*>(bytes);
    while (n > 0) {
        const ssize_t written = pwrite(file_, next, n, static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) fail("cannot write");
        next += written;
        offset += static_cast<size_t>(written);
        n -= static_cast<size_t>(written);
    }
}

void TraceFile::fail(const std::string& what) const { throw std::runtime_error(path_ + ": " + what + ": " + std::strerror(errno)); }

}  // namespace kylin::reference
