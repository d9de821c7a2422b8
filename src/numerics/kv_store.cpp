#include "numerics/kv_store.h"

#include <sys/mman.h>

#include "base/error.h"
#include "numerics/rounding.h"

namespace kylin {

KvPages::KvPages(const Config& config, KvType type, int n_pages)
    : type_(type),
      n_pages_(n_pages),
      n_head_kv_(config.attention.n_head_kv),
      page_bytes_(kv_page_bytes(type, config.attention.head_dim)),
      bytes_(static_cast<size_t>(config.n_layer) * static_cast<size_t>(n_pages) * static_cast<size_t>(n_head_kv_) * 2 * page_bytes_),
      data_(nullptr, Unmap{bytes_}) {
    require_kv_type(type, config.attention.head_dim);
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw InputError("KV cache", "cannot reserve " + std::to_string(bytes_ >> 20) + " MiB for " + std::to_string(n_pages) + " pages");
    data_.reset(static_cast<std::byte*>(memory));
}

void KvPages::Unmap::operator()(std::byte* data) const { munmap(data, bytes); }

}  // namespace kylin
