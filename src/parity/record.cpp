#include "parity/record.h"

#include "parity/probes.h"

namespace kylin::parity {

std::vector<int32_t> record(const Model& model, NumericsOptions options, const TraceAbout& about, int n_greedy, std::set<Stage> stages,
                            const std::filesystem::path& path, const std::function<void(double)>& progress) {
    const Run run{model, about.tokens, about.n_prompt, n_greedy};
    const RunShape shape{static_cast<size_t>(n_tokens(run)), model.config().attention};
    options.n_pages = pages_for(n_tokens(run));
    const auto math = make_numerics(model, options);
    TraceWriter writer(path, options.kind == NumericsKind::oracle ? TraceElement::f64 : TraceElement::f32,
                       header_room(n_stages * static_cast<size_t>(model.config().n_layer), shape.n_tokens));
    Recorder recorder(writer, shape, std::move(stages));
    Progress probe(recorder, shape.n_tokens, model.config().n_layer, [&](double share) {
        if (progress) progress(share);
    });
    TraceAbout written = about;
    written.tokens = drive(*math, run, &probe);
    writer.finish(written);
    return written.tokens;
}

TraceReader open_unlinked(const std::filesystem::path& path) {
    TraceReader reader = TraceReader::open(path);
    std::filesystem::remove(path);
    return reader;
}

}  // namespace kylin::parity
