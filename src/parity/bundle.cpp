#include "parity/bundle.h"

#include <algorithm>

#include "base/atomic_file.h"
#include "base/error.h"
#include "gguf/writer.h"
#include "numerics/certified.h"
#include "parity/declared.h"
#include "parity/drive.h"
#include "parity/probes.h"

namespace kylin::parity {
namespace {

constexpr size_t most_outputs = 1024;  // of the vocabulary, where logits are the fault

// A tensor of the small model: its form, and how its bytes are made.
struct Part {
    gguf::TensorInfo info;
    std::function<std::vector<std::byte>()> bytes;
};

class Bundle {
public:
    Bundle(const gguf::File& model, const DiagnoseInput& in, const Fault& fault, const BundleFiles& files)
        : model_(model), in_(in), files_(files), about_(in.trace.about()), at_(fault.at) {
        const int last = in.model.config().n_layer - 1;
        starts_ = at_.stage == Stage::embedding;
        ends_ = at_.stage == Stage::final_norm || at_.stage == Stage::logits;
        layer_ = starts_ ? 0 : ends_ ? last : at_.layer;
        choose_vocabulary();
    }

    void write() const {
        std::filesystem::create_directories(files_.folder);
        write_model();
        write_trace();
    }

private:
    // The small model's token i is row ids_[i] of the large one's tables. A layer's inputs take the place of the embedding, token by token.
    void choose_vocabulary() {
        const auto n = static_cast<size_t>(in_.model.config().n_vocab), n_tokens = about_.tokens.size();
        if (starts_) {
            ids_.assign(about_.tokens.begin(), about_.tokens.end());
            std::ranges::sort(ids_);
            ids_.erase(std::ranges::unique(ids_).begin(), ids_.end());
            for (int32_t& id : about_.tokens) id = static_cast<int32_t>(std::ranges::lower_bound(ids_, id) - ids_.begin());
            return;
        }
        const size_t wanted = std::min(n, std::max(n_tokens, at_.stage == Stage::logits ? most_outputs : size_t{1}));
        if (n_tokens > wanted) throw InputError("--bundle", "there are more tokens than the vocabulary has");
        for (size_t i = 0; i < wanted; ++i) ids_.push_back(static_cast<int32_t>(i * n / wanted));
        for (size_t i = 0; i < n_tokens; ++i) about_.tokens[i] = static_cast<int32_t>(i);
    }

    std::vector<std::byte> rows_of(const gguf::Tensor& table) const {
        std::vector<std::byte> bytes;
        for (const int32_t id : ids_) {
            const auto row = table.row(static_cast<uint64_t>(id));
            bytes.insert(bytes.end(), row.begin(), row.end());
        }
        return bytes;
    }
    Part sliced(const gguf::Tensor& table, const std::string& name) const {
        gguf::TensorInfo info = gguf::info_of(table);
        info.name = name;
        info.ne[1] = ids_.size();
        return {info, [this, &table] { return rows_of(table); }};
    }
    const gguf::Tensor& tensor(const std::string& name) const {
        const gguf::Tensor* t = model_.find_tensor(name);
        if (!t) throw InputError(model_.name(), "has no " + name);
        return *t;
    }

    // The layer's input of every token, [n_tokens, n_embd].
    std::vector<double> layer_input() const {
        const std::string name = layer_ == 0 ? "embedding" : trace_name(Stage::layer_out, layer_ - 1);
        const TraceTensor* t = in_.trace.find(name);
        if (!t || !t->rows.empty()) throw InputError("--bundle", "the trace lacks " + name + ", the input of the layer");
        std::vector<double> values(t->n_values());
        in_.trace.read(*t, 0, values);
        return values;
    }
    Part inputs_as_embedding() const {
        const auto width = static_cast<uint64_t>(in_.model.config().n_embd);
        const gguf::TensorInfo info{"token_embd.weight", BlockType::f32, {width, ids_.size(), 1, 1}, 2};
        return {info, [this, info] {
                    const auto values = layer_input();
                    std::vector<float> table(info.n_values());
                    std::ranges::transform(values, table.begin(), [](double x) { return static_cast<float>(x); });
                    const auto bytes = std::as_bytes(std::span(table));
                    return std::vector<std::byte>(bytes.begin(), bytes.end());
                }};
    }

    std::vector<Part> parts() const {
        std::vector<Part> list;
        const gguf::Tensor& table = tensor("token_embd.weight");
        list.push_back(starts_ ? sliced(table, table.name) : inputs_as_embedding());
        const gguf::Tensor* output = model_.find_tensor("output.weight");
        list.push_back(sliced(output ? *output : table, "output.weight"));
        const std::string own = "blk." + std::to_string(layer_) + ".";
        for (const gguf::Tensor& t : model_.tensors()) {
            if (t.name == "token_embd.weight" || t.name == "output.weight") continue;
            const bool of_layer = t.name.starts_with(own);
            if (t.name.starts_with("blk.") && !of_layer) continue;
            gguf::TensorInfo info = gguf::info_of(t);
            if (of_layer) info.name = "blk.0." + t.name.substr(own.size());
            list.push_back({info, [&t] { return std::vector<std::byte>(t.data.begin(), t.data.end()); }});
        }
        return list;
    }

    void write_model() const {
        std::vector<gguf::Entry> metadata;
        for (const gguf::Entry& e : model_.metadata()) {
            if (e.key.starts_with("tokenizer.")) continue;  // the vocabulary is another
            metadata.push_back(e);
            if (e.key.ends_with(".block_count")) metadata.back().value = uint32_t{1};
        }
        const auto list = parts();
        std::vector<gguf::TensorInfo> tensors;
        for (const Part& p : list) tensors.push_back(p.info);
        AtomicFile file(files_.model());
        gguf::Writer writer([&](std::span<const std::byte> bytes) { file.write(bytes); }, metadata, tensors);
        for (const Part& p : list) writer.write(p.bytes());
        writer.finish();
        file.commit();
    }

    // The large model's place, and its name in the small one.
    std::vector<std::pair<std::string, std::string>> places() const {
        if (starts_) return {{"embedding", "embedding"}};
        std::vector<std::pair<std::string, std::string>> list = {
            {layer_ == 0 ? "embedding" : trace_name(Stage::layer_out, layer_ - 1), "embedding"}};
        for (const Place& p : pass_order(in_.model.config().n_layer))
            if (info(p.stage).scope == Scope::per_layer ? p.layer == layer_ : ends_ && p.stage != Stage::embedding)
                list.emplace_back(trace_name(p), trace_name(p.stage, 0));
        return list;
    }

    void write_trace() const {
        const auto is_wide = [](const auto& t) { return t.second.element == TraceElement::f64; };
        const auto element = std::ranges::any_of(in_.trace.tensors(), is_wide) ? TraceElement::f64 : TraceElement::f32;
        TraceWriter writer(files_.trace(), element, header_room(n_stages, about_.tokens.size()));
        for (const auto& [from, to] : places()) {
            const TraceTensor* t = in_.trace.find(from);
            if (!t || !t->rows.empty()) continue;
            std::vector<double> values(t->n_values());
            in_.trace.read(*t, 0, values);
            auto shape = t->shape;
            if (to == "logits") values = chosen(values, shape.back()), shape.back() = ids_.size();
            writer.write(to, shape, 0, values);
        }
        writer.finish(about_);
    }
    std::vector<double> chosen(const std::vector<double>& logits, size_t n_vocab) const {
        std::vector<double> list;
        for (size_t row = 0; row < logits.size(); row += n_vocab)
            for (const int32_t id : ids_) list.push_back(logits[row + static_cast<size_t>(id)]);
        return list;
    }

    const gguf::File& model_;
    const DiagnoseInput& in_;
    const BundleFiles& files_;
    TraceAbout about_;
    Place at_;
    bool starts_, ends_;
    int layer_;
    std::vector<int32_t> ids_;
};

// The stage in float64 from the engine's own inputs.
void write_right(const BundleFiles& files, Stage stage, int n_threads) {
    const gguf::File file = gguf::File::open(files.model());
    const auto model = Model::load(file);
    const TraceReader trace = TraceReader::open(files.trace());
    const RunShape shape{trace.n_tokens(), model->config().attention};
    Declared math(*model, {.kind = NumericsKind::oracle, .n_pages = pages_for(static_cast<int>(trace.n_tokens())), .n_threads = n_threads},
                  declared_by(trace.about()));
    TraceWriter writer(files.right(), TraceElement::f64, header_room(1, trace.n_tokens()));
    Forcer forcer(trace, shape, Forcer::Mode::force, [&](const Visit& v, const Segment& own, std::span<const double>) {
        if (v.stage == stage) writer.write(trace_name(stage, 0), trace_shape(stage, v.width, shape), own.first, own.values);
    });
    drive(math, {*model, trace.about().tokens, trace.about().n_prompt}, &forcer);
    TraceAbout about = trace.about();
    about.engine = "kylin", about.numerics = "oracle";
    writer.finish(about);
}

}  // namespace

void write_bundle(const gguf::File& model, const DiagnoseInput& input, const Fault& fault, const BundleFiles& files) {
    Bundle(model, input, fault, files).write();
    write_right(files, fault.at.stage, input.options.n_threads);
}

}  // namespace kylin::parity
