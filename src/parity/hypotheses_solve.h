// Parameters solved for from the data: the other engine's values against the ones computed as the model says.
#pragma once
#include <optional>
#include <vector>

#include "parity/hypotheses.h"

namespace kylin::parity {

// Turns the heads of a row as RoPE does at a position.
void rotate(const Rope& rope, int position, std::span<double> row);

// The factor that makes the values as they should be the other engine's, by least squares; nothing where either is not finite.
std::optional<double> solve_scale(const Evidence& e);
std::vector<Values> scale_candidates(const Evidence& e);
// The factor of a branch before it is added to the residual.
std::vector<Values> branch_scales(const Evidence& e);
// The eps that a norm used, from the rows that depend on it most.
std::optional<double> solve_eps(const Evidence& e);

// How far the other engine turned each pair of a head more than the model asks for.
struct Turns {
    std::vector<double> angle;   // [rows, pairs], radians, -pi .. pi
    std::vector<double> weight;  // the same: how much the angle is worth
    size_t n_pairs = 0;
    double magnitude = 1;  // of their pairs, relative to ours
};
// Pairs as the model lays them out. Empty where the stage's input is missing.
Turns measure_turns(const Evidence& e);
std::optional<double> solve_rope_base(const Evidence& e);
std::optional<int> solve_position_offset(const Evidence& e);
std::optional<double> solve_rope_factor(const Evidence& e);

// The ids whose rows of the embedding table are nearest to the other engine's.
Values find_tokens(const Evidence& e);

// Of the numbers near x those with few digits, roots and fractions of whole numbers included; simplest first, x itself last.
std::vector<double> plain_numbers_near(double x);

}  // namespace kylin::parity
