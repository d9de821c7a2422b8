// A loaded model: configuration, weights, and the forward pass of its architecture. Immutable; shared by any number of readers.
#pragma once
#include <memory>
#include <span>
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

    // One step: writes the batch's K and V to the numerics' cache and returns logits [batch.outputs.size(), n_vocab].
    virtual Value forward(Numerics& math, const Batch& batch) const = 0;

protected:
    explicit Model(Config config) : config_(std::move(config)) {}
    // The tensor by that name with that shape, or InputError; n_outputs 1 means a vector. find() gives an absent Weight instead.
    Weight require(const gguf::File& file, std::string_view name, int n_outputs, int width);
    Weight find(const gguf::File& file, std::string_view name, int n_outputs, int width);

private:
    Config config_;
    std::vector<Weight> weights_;
};

}  // namespace kylin
