// A loaded model: configuration, weights, and the forward pass of its architecture. Immutable; shared by any number of readers.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/numerics.h"

namespace kylin {

class Model {
public:
    // Views `file`, which must outlive the model. Throws InputError for an unknown architecture (naming those supported),
    // a missing or misshaped tensor (naming shape and configuration), or an inconsistent configuration.
    static std::unique_ptr<const Model> load(const gguf::File& file);
    virtual ~Model() = default;

    const Config& config() const { return config_; }
    std::span<const Weight> weights() const { return weights_; }  // index = Weight::id
    // For a numerics that keeps a copy of its own: gives back the memory behind the weight's data, which stays valid.
    void release(const Weight& weight) const { file_->release(weight.data); }
    // And for its rows that it looks up now and then: row `r` as the file has it.
    std::vector<std::byte> copy_row(const Weight& weight, int r) const;

    // One step: writes the batch's K and V to the numerics' cache and returns logits [batch.outputs.size(), n_vocab].
    virtual Value forward(Numerics& math, const Batch& batch) const = 0;
    // The end of that pass: logits of a last layer's output. On an earlier layer's, a logit lens.
    virtual Value head(Numerics& math, Value layer_output) const = 0;

protected:
    explicit Model(Config config) : config_(std::move(config)) {}
    Config& mutable_config() { return config_; }

    // What a tensor must look like; n_outputs is 1 for vectors.
    struct Expect {
        Role role;
        int n_outputs, width;
    };
    // The tensor by that name with that shape. Throws InputError when it is missing or of another shape.
    Weight require(const gguf::File& file, const std::string& name, const Expect& expect);
    // The same, but an absent tensor gives an absent Weight.
    Weight find(const gguf::File& file, const std::string& name, const Expect& expect);

private:
    Config config_;
    std::vector<Weight> weights_;
    const gguf::File* file_ = nullptr;  // whose tensors the weights view
};

}  // namespace kylin
