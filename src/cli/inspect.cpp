// kylin inspect: what is in a model file, as a page for people or as JSON.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "gguf/file.h"
#include "gguf/weight_statistics.h"
#include "kernels/thread_pool.h"
#include "model/config.h"

namespace kylin::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Settings {
    std::string model;
    bool weights = false, json = false;
};

constexpr size_t shown_elements = 6;
constexpr size_t shown_characters = 60;

// Text of a file is made safe for a terminal: one line, no control characters, broken UTF-8 as \xNN.
std::string shown(std::string_view text) {
    std::string out = "\"";
    for (size_t n = 0; !text.empty(); ++n) {
        if (n == shown_characters) return out + "\"...";
        const size_t length = utf8_character_bytes(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (text.front() == '\n')
            out += "\\n";
        else if (text.front() == '"' || text.front() == '\\')
            out += {'\\', text.front()};
        else if (length == 0 || byte < 0x20 || byte == 0x7F)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += text.substr(0, length);
        text.remove_prefix(std::max<size_t>(length, 1));
    }
    return out + '"';
}

struct Shown {
    std::string operator()(std::string_view value) const { return shown(value); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    template <class T>
    requires std::is_arithmetic_v<T> std::string operator()(T value) const { return fmt::format("{}", value); }
    std::string operator()(const gguf::Array& array) const {
        return std::visit(
            [this](const auto& values) {
                using Element = typename std::decay_t<decltype(values)>::value_type;
                std::string out = "[";
                for (size_t i = 0; i < std::min(values.size(), shown_elements); ++i)
                    out += (i ? ", " : "") + (*this)(static_cast<const Element&>(values[i]));
                return out + (values.size() > shown_elements ? ", ...]" : "]");
            },
            array);
    }
};

std::string type_text(const gguf::Value& value) {
    const auto* array = std::get_if<gguf::Array>(&value);
    if (!array) return std::string(name(gguf::type_of(value)));
    return fmt::format("{} {}", gguf::size_of(*array), name(gguf::element_type_of(*array)));
}

std::string shape_text(const gguf::Tensor& tensor) {
    std::string out = std::to_string(tensor.ne[0]);
    for (size_t d = 1; d < static_cast<size_t>(tensor.n_dims); ++d) out += " x " + std::to_string(tensor.ne[d]);
    return out;
}

std::string_view source_text(Config::Source source) {
    switch (source) {
        case Config::Source::key:
            return "key";
        case Config::Source::fallback:
            return "default";
        case Config::Source::derived:
            return "derived";
    }
    return "";
}

// The key, "default", or "derived" and the rule.
std::string origin_text(const Config::Origin& origin) {
    return origin.source == Config::Source::derived ? "derived: " + origin.from : origin.from;
}

gguf::WeightStatistics statistics_of(const gguf::Tensor& tensor, ThreadPool& pool) {
    constexpr uint64_t rows_at_once = 4096;
    gguf::WeightStatistics total;
    for (uint64_t first = 0; first < tensor.n_rows(); first += rows_at_once) {
        std::vector<gguf::WeightStatistics> rows(std::min(rows_at_once, tensor.n_rows() - first));
        pool.run(static_cast<int>(rows.size()), [&](int r) {
            const auto row = static_cast<uint64_t>(r);
            rows[row].add_row(tensor.type, tensor.row(first + row).data(), static_cast<int>(tensor.width()));
        });
        for (const auto& row : rows) total.merge(row);
    }
    return total;
}

// Everything the command knows, gathered before a line is printed.
struct Report {
    gguf::File file;
    std::optional<Config> config;
    std::string why_no_config;
    std::vector<gguf::WeightStatistics> statistics;  // of every tensor, when asked for
};

Report gather(const Settings& s) {
    Report report{gguf::File::open(s.model), std::nullopt, {}, {}};
    try {
        report.config = read_config(report.file);
    } catch (const InputError& error) {
        report.why_no_config = error.what();
    }
    if (!s.weights) return report;
    ThreadPool pool(usable_threads());
    ProgressBar bar("reading weights");
    double done = 0;
    for (const gguf::Tensor& tensor : report.file.tensors()) {
        if (tensor.width() > std::numeric_limits<int>::max()) throw InputError(s.model, "tensor " + tensor.name + " has too long rows");
        report.statistics.push_back(statistics_of(tensor, pool));
        bar.show((done += static_cast<double>(tensor.data.size())) / static_cast<double>(report.file.size()));
    }
    return report;
}

std::string statistics_text(const gguf::WeightStatistics& s) {
    std::string out = fmt::format("min {:.4g}  max {:.4g}  mean {:.4g}  std {:.4g}", s.min(), s.max(), s.mean(), s.standard_deviation());
    if (s.has_scales()) out += fmt::format("  scales {:.4g} .. {:.4g}", s.least_scale(), s.largest_scale());
    if (s.n_nan() + s.n_inf() > 0) out += fmt::format("  {} NaN  {} Inf", s.n_nan(), s.n_inf());
    return out;
}

void print_page(const Report& report) {
    const gguf::File& file = report.file;
    fmt::print("{}: GGUF version {}, {:.1f} MB, {} metadata entries, {} tensors\n", file.name(), file.version(),
               static_cast<double>(file.size()) / 1e6, file.metadata().size(), file.tensors().size());
    fmt::print("\nMetadata\n");
    for (const gguf::Entry& entry : file.metadata())
        fmt::print("  {:<44} {:<14} {}\n", entry.key, type_text(entry.value), std::visit(Shown(), entry.value));
    fmt::print("\nConfiguration\n");
    if (!report.config) fmt::print("  not read: {}\n", report.why_no_config);
    if (report.config)
        for (const auto& origin : report.config->origins)
            fmt::print("  {:<20} {:<20} {}\n", origin.field, origin.value, origin_text(origin));
    fmt::print("\nTensors\n");
    for (size_t i = 0; i < file.tensors().size(); ++i) {
        const gguf::Tensor& tensor = file.tensors()[i];
        fmt::print("  {:<32} {:<5} {:<16} {:>12} bytes", tensor.name, info(tensor.type).name, shape_text(tensor), tensor.data.size());
        fmt::print("{}\n", report.statistics.empty() ? "" : "  " + statistics_text(report.statistics[i]));
    }
}

Json json_of(const gguf::Value& value) {
    return std::visit(
        [](const auto& held) -> Json {
            if constexpr (!std::is_same_v<std::decay_t<decltype(held)>, gguf::Array>)
                return held;
            else
                return std::visit(
                    [](const auto& values) {
                        Json first = Json::array();
                        using Element = typename std::decay_t<decltype(values)>::value_type;
                        for (size_t i = 0; i < std::min(values.size(), shown_elements); ++i)
                            first.push_back(static_cast<const Element&>(values[i]));
                        return Json{{"count", values.size()}, {"first", std::move(first)}};
                    },
                    held);
        },
        value);
}

Json json_of(const gguf::WeightStatistics& s) {
    Json out = {{"min", s.min()},   {"max", s.max()},  {"mean", s.mean()}, {"std", s.standard_deviation()},
                {"nan", s.n_nan()}, {"inf", s.n_inf()}};
    if (s.has_scales()) out["block_scales"] = {{"min", s.least_scale()}, {"max", s.largest_scale()}};
    return out;
}

void print_json(const Report& report) {
    const gguf::File& file = report.file;
    Json metadata = Json::object(), configuration = Json::array(), tensors = Json::array();
    for (const gguf::Entry& entry : file.metadata())
        metadata[entry.key] = {{"type", name(gguf::type_of(entry.value))}, {"value", json_of(entry.value)}};
    if (report.config)
        for (const auto& origin : report.config->origins)
            configuration.push_back(
                {{"field", origin.field}, {"value", origin.value}, {"source", source_text(origin.source)}, {"from", origin.from}});
    for (size_t i = 0; i < file.tensors().size(); ++i) {
        const gguf::Tensor& tensor = file.tensors()[i];
        tensors.push_back({{"name", tensor.name},
                           {"type", info(tensor.type).name},
                           {"shape", std::vector<uint64_t>(tensor.ne.begin(), tensor.ne.begin() + tensor.n_dims)},
                           {"bytes", tensor.data.size()},
                           {"offset", tensor.offset}});
        if (!report.statistics.empty()) tensors.back()["statistics"] = json_of(report.statistics[i]);
    }
    Json out = {{"file", file.name()}, {"version", file.version()}, {"bytes", file.size()}, {"metadata", std::move(metadata)}};
    out["configuration"] = std::move(configuration);
    if (!report.config) out["configuration_error"] = report.why_no_config;
    out["tensors"] = std::move(tensors);
    fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

void inspect(const Settings& s) {
    const Report report = gather(s);
    (s.json ? print_json : print_page)(report);
}

}  // namespace

void add_inspect(CLI::App& app) {
    auto s = std::make_shared<Settings>();
    CLI::App* command = app.add_subcommand("inspect", "Show what is in a model file");
    command->add_option("model", s->model, "GGUF file")->required();
    command->add_flag("--weights", s->weights, "Read all weights and add their statistics");
    command->add_flag("--json", s->json, "Print one JSON object");
    command->callback([s] { inspect(*s); });
}

}  // namespace kylin::cli
