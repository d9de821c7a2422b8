// What differences of logits mean for the text: divergence of the distributions, agreement of the largest, the first other choice.
#pragma once
#include <functional>

#include "parity/report.h"

namespace kylin::parity {

// Gives the rows of both engines for one token.
using LogitRows = std::function<void(int token, std::vector<double>& ours, std::vector<double>& reference)>;

// `noise` is the largest difference of our logits from the oracle's, by token; NaN where nobody knows.
LogitReport compare_logits(const std::vector<int>& tokens, const std::vector<double>& noise, const LogitRows& rows);

// KL(p || q) of the soft maxes of two rows of logits, in nats.
double kl_divergence(std::span<const double> p, std::span<const double> q);

int top(std::span<const double> row);  // the least index of the largest

}  // namespace kylin::parity
