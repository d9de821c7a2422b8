// kylin synth: a random model of a real model's shape.
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "gguf/synthetic.h"

namespace kylin::cli {
namespace {

struct Settings {
    std::string like, output, type = "q4_k_m", tokenizer_from;
    uint64_t seed = 1;
};

template <class Items>
std::vector<std::string> names_of(const Items& items) {
    std::vector<std::string> names;
    for (const auto& item : items) names.emplace_back(item.name);
    return names;
}

// The tokenizer.* entries of another model.
std::vector<gguf::Entry> read_tokenizer(const std::string& path) {
    const gguf::File file = gguf::File::open(path);
    std::vector<gguf::Entry> entries;
    for (const gguf::Entry& entry : file.metadata())
        if (entry.key.starts_with("tokenizer.")) entries.push_back(entry);
    return entries;
}

uint32_t n_tokens_of(const std::vector<gguf::Entry>& tokenizer, const std::string& path) {
    for (const gguf::Entry& entry : tokenizer)
        if (const auto* array = std::get_if<gguf::Array>(&entry.value); array && entry.key == "tokenizer.ggml.tokens")
            return static_cast<uint32_t>(gguf::size_of(*array));
    throw InputError(path, "has no tokenizer.ggml.tokens");
}

void synth(const Settings& s) {
    gguf::SyntheticShape shape = gguf::synthetic_shape_named(s.like).value();
    std::vector<gguf::Entry> tokenizer;
    if (s.tokenizer_from.empty()) {
        tokenizer = gguf::synthetic_tokenizer(shape.n_vocab);
    } else {
        tokenizer = read_tokenizer(s.tokenizer_from);
        shape.n_vocab = n_tokens_of(tokenizer, s.tokenizer_from);
    }
    gguf::SyntheticModel model(shape, gguf::mixture_named(s.type).value(), s.seed, std::move(tokenizer));

    AtomicFile file(s.output);
    const auto tensors = model.tensors();
    gguf::Writer writer([&](auto bytes) { file.write(bytes); }, model.metadata(), {tensors.begin(), tensors.end()});
    ProgressBar bar("writing");
    double total = 0, done = 0;
    for (const auto& tensor : tensors) total += static_cast<double>(tensor.bytes());
    for (size_t i = 0; i < tensors.size(); ++i) {
        model.generate(i, [&](auto bytes) { writer.write(bytes); });
        done += static_cast<double>(tensors[i].bytes());
        bar.show(done / total);
    }
    writer.finish();
    file.commit();
    fmt::print("{}: {} tensors, {:.1f} MB\n", s.output, tensors.size(), static_cast<double>(file.size()) / 1e6);
}

}  // namespace

void add_synth(CLI::App& app) {
    auto s = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("synth", "Make a random model of a real model's shape, for benchmarks and tests");
    command->add_option("output", s->output, "GGUF file to write")->required();
    command->add_option("--like", s->like, "Whose shape")->required()->check(CLI::IsMember(names_of(gguf::synthetic_shapes())));
    command->add_option("--type", s->type, "Type of the weights")->check(CLI::IsMember(names_of(gguf::mixtures())))->capture_default_str();
    command->add_option("--seed", s->seed, "Same seed, same model")->capture_default_str();
    command->add_option("--from-tokenizer", s->tokenizer_from, "GGUF file whose tokenizer to copy");
    command->callback([s] { synth(*s); });
}

}  // namespace kylin::cli
