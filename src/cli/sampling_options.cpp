#include "cli/sampling_options.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <random>

#include "base/error.h"

namespace kylin::cli {
namespace {

constexpr const char* group = "Sampling";

// The names that users of other engines know; the field's own name is a flag too.
constexpr std::pair<std::string_view, std::string_view> short_names[] = {
    {"temperature", "--temp"},
    {"typical_p", "--typical"},
    {"repetition_penalty", "--repeat-penalty"},
    {"penalty_window", "--repeat-last-n"},
};

constexpr std::pair<std::string_view, std::string_view> metadata_keys[] = {
    {"temperature", "general.sampling.temp"},
    {"top_k", "general.sampling.top_k"},
    {"top_p", "general.sampling.top_p"},
    {"min_p", "general.sampling.min_p"},
    {"repetition_penalty", "general.sampling.penalty_repeat"},
    {"penalty_window", "general.sampling.penalty_last_n"},
};

std::string flags_of(std::string_view field) {
    std::string flag = "--" + std::string(field);
    std::replace(flag.begin(), flag.end(), '_', '-');
    for (const auto& [name, short_name] : short_names)
        if (name == field) flag += "," + std::string(short_name);
    return flag;
}

void set(Sampling& sampling, const SamplingField& field, double value) {
    if (const auto* real = std::get_if<double Sampling::*>(&field.member)) sampling.*(*real) = value;
    // Any number that no int holds is out of the field's range as well.
    if (const auto* integer = std::get_if<int Sampling::*>(&field.member))
        sampling.*(*integer) = static_cast<int>(std::clamp(value, -2e9, 2e9));
}

// "ID=VALUE"
std::pair<int32_t, float> parse_bias(const std::string& text) {
    std::pair<int32_t, float> bias;
    const char* end = text.data() + text.size();
    const auto id = std::from_chars(text.data(), end, bias.first);
    if (id.ec == std::errc() && id.ptr != end && *id.ptr == '=') {
        const auto value = std::from_chars(id.ptr + 1, end, bias.second);
        if (value.ec == std::errc() && value.ptr == end) return bias;
    }
    throw InputError("--logit-bias", "\"" + text + "\" is not ID=VALUE");
}

uint64_t random_seed() {
    std::random_device device;
    return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

Sampling recommended_sampling(const gguf::File& file) {
    Sampling sampling{.temperature = 0.6, .top_k = 20, .top_p = 0.95};
    for (const auto& [name, key] : metadata_keys) {
        const auto field =
            std::find_if(sampling_fields().begin(), sampling_fields().end(), [&n = name](const auto& f) { return f.name == n; });
        if (std::holds_alternative<int Sampling::*>(field->member)) {
            if (const auto value = file.find_int(key)) set(sampling, *field, static_cast<double>(*value));
        } else {
            if (const auto value = file.find_float(key)) set(sampling, *field, *value);
        }
    }
    return sampling;
}

void SamplingOptions::add_to(CLI::App& command) {
    for (const SamplingField& field : sampling_fields()) {
        const auto store = [this, name = field.name](auto value) { numbers_[name] = static_cast<double>(value); };
        CLI::Option* option = std::holds_alternative<int Sampling::*>(field.member)
                                  ? command.add_option_function<int>(flags_of(field.name), store, std::string(field.meaning))
                                  : command.add_option_function<double>(flags_of(field.name), store, std::string(field.meaning));
        option->group(group);
    }
    // allow_extra_args: or a prompt behind it would be taken for another value.
    command.add_option("--logit-bias", biases_, "ID=VALUE: add to the logit of a token; may be repeated")
        ->allow_extra_args(false)
        ->group(group);
    command.add_option("--seed", seed_, "Make the choice repeatable (default: a random one)")->group(group);
    command.add_option("--stop", stops_, "End the answer before this text; may be repeated")->allow_extra_args(false)->group(group);
    command.add_option("-n,--max-tokens", max_tokens_, "Tokens of the answer at most (default: until the context is full)")->group(group);
    command.add_flag("--ignore-eos", ignore_end_, "Go on after the model's end tokens")->group(group);
}

GenerationSpec SamplingOptions::spec(const Sampling& base) const {
    GenerationSpec spec{.sampling = base, .max_tokens = max_tokens_, .stop = stops_, .ignore_end = ignore_end_};
    for (const SamplingField& field : sampling_fields())
        if (const auto it = numbers_.find(field.name); it != numbers_.end()) set(spec.sampling, field, it->second);
    for (const std::string& bias : biases_) spec.sampling.logit_bias.push_back(parse_bias(bias));
    spec.sampling.seed = seed_ ? *seed_ : random_seed();
    return spec;
}

}  // namespace kylin::cli
