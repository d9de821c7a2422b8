#include "parity/probes.h"

#include <algorithm>

#include "base/error.h"

namespace kylin::parity {

Recorder::Recorder() {
    for (size_t i = 0; i < n_stages; ++i) {
        const auto stage = static_cast<Stage>(i);
        if (stage != Stage::attn_scores && stage != Stage::attn_probs) stages_.insert(stage);
    }
}

bool Recorder::wants(Stage stage, int) const { return stages_.contains(stage); }

bool Recorder::visit(const Visit& v) {
    TraceTensor& t = tensors_[trace_name(v.stage, v.layer)];
    t.values.insert(t.values.end(), v.values.begin(), v.values.end());
    const auto width = static_cast<size_t>(v.width);
    t.shape = {t.values.size() / width, width};
    return false;
}

bool Forcer::visit(const Visit& v) {
    Recorder::visit(v);
    const std::string name = trace_name(v.stage, v.layer);
    const auto found = reference_.tensors.find(name);
    if (found == reference_.tensors.end()) return false;
    size_t& used = used_[name];
    const std::vector<double>& values = found->second.values;
    if (used + v.values.size() > values.size()) throw InputError("reference", "stage " + name + " has fewer values than the pass makes");
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(used), v.values.size(), v.values.begin());
    used += v.values.size();
    return true;
}

}  // namespace kylin::parity
