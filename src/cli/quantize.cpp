// kylin quantize: another model file with the weights in another type, and how much each tensor lost.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/atomic_file.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "gguf/block_codec.h"
#include "gguf/mixture.h"
#include "kernels/thread_pool.h"

namespace kylin::cli {
namespace {

struct Settings {
    std::string input, output, type;
    int n_threads = 0;
    bool requantize = false, json = false;
};

constexpr uint64_t slab_values = uint64_t{1} << 22;  // converted at once: 16 MB of floats

struct Loss {
    double squared_error = 0, squared_values = 0, n_values = 0;
    double rms_error() const { return std::sqrt(squared_error / n_values); }
    double relative() const { return squared_values > 0 ? std::sqrt(squared_error / squared_values) : 0; }
};

struct Converted {
    gguf::TensorInfo tensor;
    BlockType from;
    uint64_t bytes_before;
    Loss loss;
};

// Reads rows of one type and writes them in another; rows are independent, so threads change no bit.
class Converter {
public:
    Converter(const gguf::File& file, int n_threads) : file_(file), pool_(n_threads) {}

    Loss convert(const gguf::Tensor& tensor, BlockType to, const gguf::Sink& sink, const std::function<void(uint64_t)>& progress) {
        if (tensor.width() > std::numeric_limits<int>::max())
            throw InputError(file_.name(), "tensor " + tensor.name + " has too long rows");
        const uint64_t rows_per_slab = std::max<uint64_t>(1, slab_values / tensor.width());
        Loss total;
        for (uint64_t first = 0; first < tensor.n_rows(); first += rows_per_slab) {
            const uint64_t n = std::min(rows_per_slab, tensor.n_rows() - first);
            out_.resize(n * row_bytes(to, tensor.width()));
            losses_.assign(n, {});
            pool_.run(static_cast<int>(n), [&](int r) { convert_row(tensor, to, first, static_cast<uint64_t>(r)); });
            for (const Loss& row : losses_) {
                total.squared_error += row.squared_error;
                total.squared_values += row.squared_values;
                total.n_values += row.n_values;
            }
            sink(out_);
            progress(n * row_bytes(tensor.type, tensor.width()));
        }
        return total;
    }

private:
    void convert_row(const gguf::Tensor& tensor, BlockType to, uint64_t first, uint64_t r) {
        const int width = static_cast<int>(tensor.width());
        std::vector<float> values(tensor.width()), back(tensor.width());
        dequantize_row(tensor.type, tensor.row(first + r).data(), values.data(), width);
        for (const float v : values)
            if (!std::isfinite(v))
                throw InputError(file_.name(), fmt::format("tensor {} holds {} in row {}", tensor.name, v, first + r),
                                 tensor.offset + (first + r) * row_bytes(tensor.type, tensor.width()));
        std::byte* blocks = out_.data() + r * row_bytes(to, tensor.width());
        quantize_row(to, values.data(), blocks, width);
        dequantize_row(to, blocks, back.data(), width);
        Loss& loss = losses_[r];
        loss.n_values = width;
        for (size_t i = 0; i < values.size(); ++i) {
            const double x = values[i], difference = static_cast<double>(back[i]) - x;
            loss.squared_error += difference * difference;
            loss.squared_values += x * x;
        }
    }

    const gguf::File& file_;
    ThreadPool pool_;
    std::vector<std::byte> out_;
    std::vector<Loss> losses_;
};

std::vector<gguf::Entry> metadata_for(const gguf::File& file, const gguf::Mixture& mixture) {
    std::vector<gguf::Entry> entries(file.metadata().begin(), file.metadata().end());
    const auto set = [&](const std::string& key, uint32_t value) {
        const auto at = std::find_if(entries.begin(), entries.end(), [&](const gguf::Entry& e) { return e.key == key; });
        if (at != entries.end())
            at->value = value;
        else
            entries.push_back({key, value});
    };
    set("general.quantization_version", gguf::quantization_version);
    set("general.file_type", mixture.file_type);
    return entries;
}

// The tensors as they will be written. Quantizing twice loses twice, so it has to be asked for.
std::vector<gguf::TensorInfo> plan(const gguf::File& file, const gguf::Mixture& mixture, bool requantize) {
    std::vector<gguf::TensorInfo> infos;
    for (const gguf::Tensor& tensor : file.tensors()) infos.push_back(gguf::info_of(tensor));
    const auto types = gguf::choose_types(mixture, infos);
    for (size_t i = 0; i < infos.size(); ++i) {
        const bool twice = types[i] != infos[i].type && info(infos[i].type).values > 1 && info(types[i]).values > 1;
        if (twice && !requantize)
            throw InputError(file.name(), fmt::format("tensor {} is {} already; --requantize converts it to {}, with the losses of both",
                                                      infos[i].name, info(infos[i].type).name, info(types[i]).name));
        infos[i].type = types[i];
    }
    return infos;
}

void print_table(const Settings& s, const std::vector<Converted>& all, uint64_t bytes_before, uint64_t bytes_after) {
    size_t n_kept = 0;
    for (const Converted& c : all) {
        n_kept += c.from == c.tensor.type;
        if (c.from == c.tensor.type) continue;
        fmt::print("{:<32} {:>7} x {:<7} {:>5} -> {:<5} rms error {:.3e} ({:.3f} %)\n", c.tensor.name, c.tensor.ne[0], c.tensor.n_rows(),
                   info(c.from).name, info(c.tensor.type).name, c.loss.rms_error(), 100 * c.loss.relative());
    }
    fmt::print("{}: {:.1f} MB -> {:.1f} MB; {} tensors converted, {} kept as they were\n", s.output,
               static_cast<double>(bytes_before) / 1e6, static_cast<double>(bytes_after) / 1e6, all.size() - n_kept, n_kept);
}

void print_json(const Settings& s, const std::vector<Converted>& all, uint64_t bytes_before, uint64_t bytes_after) {
    nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
    for (const Converted& c : all)
        tensors.push_back({{"name", c.tensor.name},
                           {"shape", std::vector<uint64_t>(c.tensor.ne.begin(), c.tensor.ne.begin() + c.tensor.n_dims)},
                           {"from", info(c.from).name},
                           {"to", info(c.tensor.type).name},
                           {"bytes_before", c.bytes_before},
                           {"bytes_after", c.tensor.bytes()},
                           {"rms_error", c.loss.rms_error()},
                           {"relative_rms_error", c.loss.relative()}});
    const nlohmann::ordered_json report = {
        {"input", s.input},           {"output", s.output},           {"type", s.type}, {"bytes_before", bytes_before},
        {"bytes_after", bytes_after}, {"tensors", std::move(tensors)}};
    fmt::print("{}\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void quantize(const Settings& s) {
    const gguf::File file = gguf::File::open(s.input);
    const gguf::Mixture mixture = gguf::mixture_named(s.type).value();
    if (file.find_int("split.count").value_or(1) > 1)
        file.fail("split.count", "is more than 1: the parts of a split model have to be merged first");
    const auto metadata = metadata_for(file, mixture);
    const auto infos = plan(file, mixture, s.requantize);

    AtomicFile out(s.output);
    const gguf::Sink to_file = [&](auto bytes) { out.write(bytes); };
    gguf::Writer writer(to_file, metadata, infos);
    Converter converter(file, s.n_threads > 0 ? s.n_threads : usable_threads());
    std::vector<Converted> all;
    {
        ProgressBar bar("quantizing");
        double done = 0;
        const auto progress = [&](uint64_t bytes) { bar.show((done += static_cast<double>(bytes)) / static_cast<double>(file.size())); };
        for (size_t i = 0; i < infos.size(); ++i) {
            const gguf::Tensor& tensor = file.tensors()[i];
            const gguf::Sink to_writer = [&](auto bytes) { writer.write(bytes); };
            Converted converted = {infos[i], tensor.type, tensor.data.size(), {}};
            converted.loss.n_values = static_cast<double>(tensor.n_values());
            if (infos[i].type != tensor.type) {
                converted.loss = converter.convert(tensor, infos[i].type, to_writer, progress);
            } else {
                writer.write(tensor.data);
                progress(tensor.data.size());
            }
            all.push_back(std::move(converted));
        }
        writer.finish();
        out.commit();
    }
    (s.json ? print_json : print_table)(s, all, file.size(), out.size());
}

}  // namespace

void add_quantize(CLI::App& app) {
    auto s = std::make_shared<Settings>();
    std::vector<std::string> types;
    for (const gguf::Mixture& mixture : gguf::mixtures()) types.emplace_back(mixture.name);
    CLI::App* command = app.add_subcommand("quantize", "Write a model with its weights in another type");
    command->add_option("input", s->input, "GGUF file to read")->required();
    command->add_option("output", s->output, "GGUF file to write")->required();
    command->add_option("--to", s->type, "Type of the weights")->required()->check(CLI::IsMember(types));
    command->add_option("-t,--threads", s->n_threads, "Threads; 0: all")->check(CLI::Range(0, 1024));
    command->add_flag("--requantize", s->requantize, "Quantize weights that are quantized already");
    command->add_flag("--json", s->json, "Print one JSON object");
    command->callback([s] { quantize(*s); });
}

}  // namespace kylin::cli
