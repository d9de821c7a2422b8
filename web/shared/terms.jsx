// The words of the report, said once: <Term name="local" /> shows a word with its meaning, the glossary lists them all.
export const terms = {
    'local': 'Error of one stage alone: Kylin is fed with the reference\'s own inputs of the stage, then compared with the reference. It names the place of a fault.',
    'accumulated': 'Error of the free runs: each engine goes on from its own values, so all errors before this stage are inside.',
    'relative error': 'L2 norm of the difference over the L2 norm of the reference, for one token. Cells show the worst token.',
    'bound': 'Certified bound: the largest difference that rounding can make at this element, derived from the arithmetic of the stage.',
    'bound ratio': 'Largest observed difference from the oracle over the certified bound, on the same inputs. Above 1 is proven not to be rounding.',
    'amplification': 'Accumulated relative error of a stage over the largest of its inputs. Above 1 the stage makes the error larger.',
    'oracle': 'The same forward pass in float64, built into Kylin.',
    'stage': 'A named value of the forward pass, such as q_rope or layer_out.',
    'NMSE': 'Normalised mean squared error: sum of squared differences over sum of squares of the reference.',
    'non-outlier NMSE': 'NMSE over blocks of 256 without the largest value of each block: one outlier cannot hide the damage to its neighbours.',
    'SNR': 'Signal to noise ratio, -10 log10(NMSE), in decibels.',
    'ULP': 'Unit in the last place: the gap between neighbouring F32 numbers at that size.',
    'KL': 'Kullback-Leibler divergence of the next-token distributions, reference against ours, in nats. 0 means that they are the same.',
    'margin': 'Gap between the two largest logits. Where it is smaller than the noise, either choice is right.',
    'headroom': 'log2(65504 / largest magnitude): how many times a value can double before F16 overflows, in bits.',
    'massive activation': 'A layer output above 100 times the stage\'s median magnitude and above 50. Healthy models have them.',
    'logit lens': 'What each layer\'s output would predict if it went straight to the head.',
    'exact': 'Same bits, given the same inputs.',
    'rounding': 'Different bits, inside the certified bound.',
    'noise': 'Beyond rounding, and explained by a named source such as quantized activations or an F16 cache.',
    'divergent': 'Proven beyond rounding, and explained by no named source.',
    'not judged': 'Compared, but an input of the stage is missing in the reference, so the error cannot be placed.',
    'missing': 'The reference\'s trace lacks the stage.',
    'not finite': 'NaN or infinity, or a relative error whose reference is zero.',
};

export const Term = ({ name, children }) => <abbr title={terms[name]}>{children ?? name}</abbr>;
