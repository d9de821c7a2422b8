// Builds GGUF files byte by byte, the broken ones too.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "gguf/file.h"

namespace kylin::testing {

class GgufBytes {
public:
    template <class T>
    requires std::is_arithmetic_v<T> GgufBytes& put(T value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        text_.append(bytes, sizeof(T));
        return *this;
    }
    GgufBytes& raw(std::string_view bytes) {
        text_ += bytes;
        return *this;
    }
    GgufBytes& string(std::string_view text) { return put(uint64_t{text.size()}).raw(text); }

    GgufBytes& header(uint64_t n_tensors, uint64_t n_entries, uint32_t version = 3) {
        return raw("GGUF").put(version).put(n_tensors).put(n_entries);
    }
    GgufBytes& type(gguf::ValueType type) { return put(static_cast<uint32_t>(type)); }
    template <class T>
    GgufBytes& entry(std::string_view key, gguf::ValueType value_type, T value) {
        return string(key).type(value_type).put(value);
    }
    GgufBytes& array(std::string_view key, gguf::ValueType element, uint64_t count) {
        return string(key).type(gguf::ValueType::array).type(element).put(count);
    }
    GgufBytes& tensor(std::string_view name, std::initializer_list<uint64_t> ne, uint32_t type_id, uint64_t offset) {
        string(name).put(static_cast<uint32_t>(ne.size()));
        for (const uint64_t n : ne) put(n);
        return put(type_id).put(offset);
    }
    GgufBytes& pad(size_t alignment = 32) {
        text_.resize((text_.size() + alignment - 1) / alignment * alignment);
        return *this;
    }
    GgufBytes& data(size_t n) {
        text_.append(n, '\1');
        return *this;
    }

    const std::string& text() const { return text_; }
    size_t size() const { return text_.size(); }

private:
    std::string text_;
};

inline std::span<const std::byte> as_bytes(const std::string& text) { return std::as_bytes(std::span(text.data(), text.size())); }

}  // namespace kylin::testing
