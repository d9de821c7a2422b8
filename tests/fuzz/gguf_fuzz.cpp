// libFuzzer: any bytes throw InputError, or are a file whose tensors lie inside it, apart from each other, and are found by name.
#include <algorithm>

#include "base/error.h"
#include "fuzz/require.h"
#include "gguf/file.h"

namespace {

void check(const kylin::gguf::File& file, std::span<const std::byte> bytes) {
    using namespace kylin;
    std::vector<const gguf::Tensor*> in_order;
    for (const gguf::Tensor& t : file.tensors()) {
        const auto* begin = t.data.data();
        require(begin >= bytes.data() && t.data.size() <= bytes.size() - static_cast<size_t>(begin - bytes.data()),
                "data lies in the file");
        require(t.n_values() != 0 && row_bytes(t.type, t.width()) * t.n_rows() == t.data.size(), "data has the size of its shape");
        require(file.find_tensor(t.name) == &t, "a tensor is found by its name");
        in_order.push_back(&t);
    }
    std::ranges::sort(in_order, {}, [](const gguf::Tensor* t) { return t->data.data(); });
    for (size_t i = 1; i < in_order.size(); ++i)
        require(in_order[i - 1]->data.data() + in_order[i - 1]->data.size() <= in_order[i]->data.data(), "tensors do not overlap");
    for (const gguf::Entry& e : file.metadata()) require(file.find(e.key) == &e.value, "an entry is found by its key");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::span bytes{reinterpret_cast<const std::byte*>(data), size};
    try {
        check(kylin::gguf::File::parse(bytes), bytes);
    } catch (const kylin::InputError&) {
        return 0;
    }
    return 0;
}
