#include "parity/record.h"

#include "parity/probes.h"

namespace kylin::parity {

std::vector<int32_t> record(const Run& run, Numerics& math, TraceAbout about, const Recording& to) {
    const int n_layer = run.model.config().n_layer;
    const RunShape shape{static_cast<size_t>(n_tokens(run)), run.model.config().attention};
    TraceWriter writer(to.path, to.element, header_room(n_stages * static_cast<size_t>(n_layer), shape.n_tokens));
    Recorder recorder(writer, shape, to.stages);
    Progress probe(recorder, shape.n_tokens, n_layer, [&](double share) {
        if (to.progress) to.progress(share);
    });
    about.tokens = drive(math, run, &probe);
    writer.finish(about);
    return about.tokens;
}

std::vector<int32_t> record(const Model& model, NumericsOptions options, const TraceAbout& about, int n_greedy, std::set<Stage> stages,
                            const std::filesystem::path& path, const std::function<void(double)>& progress) {
    const Run run{model, about.tokens, about.n_prompt, n_greedy};
    options.n_pages = pages_for(n_tokens(run));
    const auto element = options.kind == NumericsKind::oracle ? TraceElement::f64 : TraceElement::f32;
    return record(run, *make_numerics(model, options), about, {std::move(stages), path, element, progress});
}

TraceReader open_unlinked(const std::filesystem::path& path) {
    TraceReader reader = TraceReader::open(path);
    std::filesystem::remove(path);
    return reader;
}

}  // namespace kylin::parity
