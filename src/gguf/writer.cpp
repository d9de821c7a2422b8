// The grammar of file.h, written.
#include "gguf/writer.h"

#include <cstring>
#include <stdexcept>
#include <type_traits>

#include "base/checked.h"
#include "gguf/header.h"

namespace kylin::gguf {
namespace {

uint64_t alignment_of(std::span<const Entry> metadata) {
    for (const Entry& entry : metadata)
        if (entry.key == "general.alignment")
            if (const auto* value = std::get_if<uint32_t>(&entry.value)) return *value;
    return default_alignment;
}

uint64_t aligned(uint64_t n, uint64_t alignment) { return Checked(n).rounded_up(alignment).value().value(); }

class Bytes {
public:
    template <class T>
    requires std::is_arithmetic_v<T>
    void put(T value) { append(&value, sizeof(T)); }
    void put(bool value) { put(static_cast<uint8_t>(value)); }
    void put(std::string_view text) {
        put(uint64_t{text.size()});
        append(text.data(), text.size());
    }
    void put(const Array& array) {
        put(static_cast<uint32_t>(element_type_of(array)));
        put(uint64_t{size_of(array)});
        std::visit(
            [this](const auto& values) {
                using Element = typename std::decay_t<decltype(values)>::value_type;
                for (const auto& value : values) put(static_cast<const Element&>(value));
            },
            array);
    }
    void pad_to(uint64_t size) { bytes_.resize(size); }
    std::vector<std::byte>& bytes() { return bytes_; }

private:
    void append(const void* data, size_t n) {
        const size_t at = bytes_.size();
        bytes_.resize(at + n);
        if (n > 0) std::memcpy(bytes_.data() + at, data, n);
    }
    std::vector<std::byte> bytes_;
};

}  // namespace

TensorInfo info_of(const Tensor& tensor) { return {tensor.name, tensor.type, tensor.ne, tensor.n_dims}; }

std::vector<std::byte> header_bytes(std::span<const Entry> metadata, std::span<const TensorInfo> tensors) {
    const uint64_t alignment = alignment_of(metadata);
    Bytes out;
    for (const char c : {'G', 'G', 'U', 'F'}) out.put(static_cast<uint8_t>(c));
    out.put(uint32_t{3});
    out.put(uint64_t{tensors.size()});
    out.put(uint64_t{metadata.size()});
    for (const Entry& entry : metadata) {
        out.put(entry.key);
        out.put(static_cast<uint32_t>(type_of(entry.value)));
        std::visit([&](const auto& value) { out.put(value); }, entry.value);
    }
    uint64_t offset = 0;
    for (const TensorInfo& tensor : tensors) {
        out.put(tensor.name);
        out.put(static_cast<uint32_t>(tensor.n_dims));
        for (int d = 0; d < tensor.n_dims; ++d) out.put(tensor.ne[static_cast<size_t>(d)]);
        out.put(static_cast<uint32_t>(tensor.type));
        out.put(offset);
        offset += aligned(tensor.bytes(), alignment);
    }
    out.pad_to(aligned(out.bytes().size(), alignment));
    return std::move(out.bytes());
}

Writer::Writer(Sink sink, std::span<const Entry> metadata, std::vector<TensorInfo> tensors)
    : sink_(std::move(sink)), tensors_(std::move(tensors)), alignment_(alignment_of(metadata)) {
    sink_(header_bytes(metadata, tensors_));
}

void Writer::write(std::span<const std::byte> data) {
    while (!data.empty()) {
        if (tensor_ == tensors_.size()) throw std::logic_error("more tensor data than the GGUF header says");
        const uint64_t missing = tensors_[tensor_].bytes() - written_;
        const auto part = data.first(std::min<uint64_t>(missing, data.size()));
        sink_(part);
        written_ += part.size();
        data = data.subspan(part.size());
        if (part.size() == missing) pad();
    }
}

void Writer::pad() {
    const std::vector<std::byte> zeros(aligned(written_, alignment_) - written_);
    if (!zeros.empty()) sink_(zeros);
    ++tensor_;
    written_ = 0;
}

void Writer::finish() {
    if (tensor_ != tensors_.size()) throw std::logic_error("less tensor data than the GGUF header says");
}

}  // namespace kylin::gguf
