// The options of run and chat that shape the answer.
#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"
#include "gguf/file.h"

namespace kylin::cli {

// What the model's maker recommends: the file's general.sampling.* keys; for what they leave out, Qwen3's card (0.6, top_p 0.95, top_k 20).
Sampling recommended_sampling(const gguf::File& file);

class SamplingOptions {
public:
    void add_to(CLI::App& command);
    // Everything but the prompt; what no option sets is as in `base`. Without --seed a random one is drawn.
    GenerationSpec spec(const Sampling& base) const;

private:
    std::map<std::string_view, double> numbers_;  // by the name of the field, those that were given
    std::vector<std::string> biases_, stops_;
    std::optional<uint64_t> seed_;
    int max_tokens_ = -1;
    bool ignore_end_ = false;
};

}  // namespace kylin::cli
