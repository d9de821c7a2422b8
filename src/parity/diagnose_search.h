// Looks for the mistakes that explain one place: each of the catalogue alone, then two and three together.
#pragma once
#include <vector>

#include "parity/diagnose_case.h"

namespace kylin::parity {

class Search {
public:
    explicit Search(Case& one) : case_(one) {}
    // All single mistakes that explain the place, best first; else, where `deep`, two or three that do so together.
    std::vector<Explanation> run(bool deep);

private:
    struct Partial {
        std::vector<Guess> guesses;
        double error;
    };
    Where base_where() const;
    std::vector<std::vector<Stage>> stages_of(const Hypothesis& h) const;
    std::vector<Explanation> single(const std::vector<Guess>& base, const Where& where);
    std::optional<Explanation> best_of(const Hypothesis& h, std::vector<Stage> stages, const std::vector<Guess>& base, const Where& where);
    std::optional<Explanation> refined(Partial& nearest, const Where& where);
    void simplify(Explanation& e);
    std::vector<Explanation> ranked(std::vector<Explanation> found) const;
    static std::vector<Partial> by_error(std::vector<Partial> list, size_t most);

    Case& case_;
    std::vector<Partial> partial_;
};

}  // namespace kylin::parity
