// Storage of keys and values for `fast`: per layer, page and KV head one K page and one V page as the kernels lay them out.
// Whose page it is, is the engine's business. Pages are reserved address space until they are written.
#pragma once
#include <cstddef>
#include <memory>

#include "kernels/kernels.h"
#include "model/config.h"

namespace kylin {

class KvPages {
public:
    // Throws InputError when the type cannot hold the heads, or the memory cannot be had.
    KvPages(const Config& config, KvType type, int n_pages);

    KvType type() const { return type_; }
    int n_pages() const { return n_pages_; }
    size_t bytes() const { return bytes_; }
    size_t bytes_of_position() const { return static_cast<size_t>(n_head_kv_) * 2 * page_bytes_ / kv_block; }  // in one layer
    std::byte* k(int layer, int page, int head) { return at(layer, page, head); }
    std::byte* v(int layer, int page, int head) { return at(layer, page, head) + page_bytes_; }

private:
    std::byte* at(int layer, int page, int head) {
        const auto index =
            (static_cast<size_t>(layer) * static_cast<size_t>(n_pages_) + static_cast<size_t>(page)) * static_cast<size_t>(n_head_kv_) +
            static_cast<size_t>(head);
        return data_.get() + index * 2 * page_bytes_;
    }
    struct Unmap {
        size_t bytes;
        void operator()(std::byte* data) const;
    };
    KvType type_;
    int n_pages_, n_head_kv_;
    size_t page_bytes_, bytes_;
    std::unique_ptr<std::byte, Unmap> data_;
};

}  // namespace kylin
