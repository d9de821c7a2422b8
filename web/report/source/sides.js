// What the report says of the two engines, as a number or a name.
export const largest = (summary) => (summary.min === null || summary.max === null ? null : Math.max(Math.abs(summary.min), Math.abs(summary.max)));

// Who is meant by a word of the report.
export function who(report, side) {
    return { none: 'no one', ours: 'Kylin', reference: report.reference.engine, both: `both Kylin and ${report.reference.engine}`, undecided: 'undecided' }[side];
}

// How far an engine is from the oracle, over what rounding allows: null where the number is not finite, undefined where there is none. An
// engine without a bound of its own, as the oracle, has null in the report, too; but only a number that is not finite is a divergence.
const bound_of = ({ bound, verdict }, side) => {
    const other = side === 'ours' ? bound.reference : bound.ours;
    return bound[side] !== null || (verdict === 'divergent' && !(other > 1)) ? bound[side] : undefined;
};

export function bound_ratios(cell) {
    if (!cell.bound) return { ours: undefined, reference: undefined, larger: undefined };
    const ours = bound_of(cell, 'ours'), reference = bound_of(cell, 'reference');
    const known = [ours, reference].filter((x) => x !== undefined);
    const larger = known.length === 0 ? undefined : known.includes(null) ? null : Math.max(...known);
    return { ours, reference, larger };
}
