#include "parity/probes.h"

#include <algorithm>

#include "base/error.h"

namespace kylin::parity {
namespace {

std::string shape_text(const std::vector<size_t>& shape) {
    std::string text = "[";
    for (const size_t n : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
    return text + "]";
}

}  // namespace

std::set<Stage> linear_stages() {
    std::set<Stage> stages;
    for (size_t i = 0; i < n_stages; ++i)
        if (!is_square(static_cast<Stage>(i))) stages.insert(static_cast<Stage>(i));
    return stages;
}

bool Recorder::visit(const Visit& v) {
    for (const Segment& s : segments_of(v, first_token(), run_))
        writer_.write(trace_name(v.stage, v.layer), trace_shape(v.stage, v.width, run_), s.first, s.values);
    return false;
}

bool Forcer::visit(const Visit& v) {
    const TraceTensor& tensor = *trace_.find(trace_name(v.stage, v.layer));
    check_shape(trace_, tensor, v, run_);
    for (const Segment& s : segments_of(v, first_token(), run_)) {
        const auto theirs = read_segment(trace_, tensor, s);
        if (!theirs) continue;
        see_(v, s, *theirs);
        if (mode_ == Mode::force) std::ranges::copy(*theirs, s.values.begin());
    }
    return mode_ == Mode::force;
}

void check_shape(const TraceReader& trace, const TraceTensor& tensor, const Visit& v, const RunShape& run) {
    std::vector<size_t> expected = trace_shape(v.stage, v.width, run);
    if (!tensor.rows.empty()) expected[0] = tensor.rows.size();
    std::vector<size_t> flat = tensor.shape;
    if (flat.size() == 3 && !is_square(v.stage)) flat = {flat[0], flat[1] * flat[2]};  // heads may be written apart
    if (flat != expected)
        throw InputError(trace.path().string(), "stage " + trace_name(v.stage, v.layer) + " has shape " + shape_text(tensor.shape) +
                                                    "; this model and these tokens make it " + shape_text(expected));
}

}  // namespace kylin::parity
