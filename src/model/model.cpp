#include "model/model.h"

#include "base/error.h"
#include "model/architectures.h"

namespace kylin {
namespace {

constexpr Architecture architectures[] = {
    {"qwen3", true, make_qwen3},
};

std::string shape_text(const gguf::Tensor& t) {
    std::string text = "[" + std::to_string(t.ne[0]);
    for (int d = 1; d < t.n_dims; ++d) text += ", " + std::to_string(t.ne[static_cast<size_t>(d)]);
    return text + "]";
}

}  // namespace

const Architecture& architecture_of(const gguf::File& file) {
    const std::string* name = file.find_string("general.architecture");
    if (!name) throw InputError(file.name(), "no general.architecture: not a model");
    std::string known;
    for (const Architecture& a : architectures) {
        if (a.name == *name) return a;
        known += (known.empty() ? "" : ", ") + std::string(a.name);
    }
    file.fail("general.architecture", "unknown architecture \"" + *name + "\" (supported: " + known + ")");
}

std::unique_ptr<const Model> Model::load(const gguf::File& file) { return architecture_of(file).make(file, read_config(file)); }

Weight Model::find(const gguf::File& file, const std::string& name, const Expect& expect) {
    file_ = &file;
    const gguf::Tensor* t = file.find_tensor(name);
    if (!t) return {};
    const auto width = static_cast<uint64_t>(expect.width), n_outputs = static_cast<uint64_t>(expect.n_outputs);
    if (t->width() != width || t->n_rows() != n_outputs)
        throw InputError(file.name(),
                         "tensor " + name + " has shape " + shape_text(*t) + ", but the configuration asks for [" + std::to_string(width) +
                             (n_outputs > 1 ? ", " + std::to_string(n_outputs) : "") + "]",
                         t->offset);
    const bool quantized = info(t->type).values > 1;
    if (expect.role == Role::vector && quantized)
        throw InputError(file.name(), "tensor " + name + " has type " + std::string(info(t->type).name) + ", but must not be quantized",
                         t->offset);
    Weight w{.id = static_cast<int>(weights_.size()),
             .name = t->name,
             .role = expect.role,
             .type = t->type,
             .n_outputs = expect.n_outputs,
             .width = expect.width,
             .data = t->data};
    weights_.push_back(w);
    return w;
}

Weight Model::require(const gguf::File& file, const std::string& name, const Expect& expect) {
    Weight w = find(file, name, expect);
    if (!w) throw InputError(file.name(), "tensor " + name + " is missing");
    return w;
}

std::vector<std::byte> Model::copy_row(const Weight& weight, int r) const {
    std::vector<std::byte> bytes(row_bytes(weight.type, static_cast<size_t>(weight.width)));
    file_->copy({weight.row(r), bytes.size()}, bytes.data());
    return bytes;
}

}  // namespace kylin
