// What the report says of the two engines, as a number or a name.
export const largest = (summary) => (summary.min === null || summary.max === null ? null : Math.max(Math.abs(summary.min), Math.abs(summary.max)));

// Who is meant by a word of the report.
export function who(report, side) {
    return { none: 'no one', ours: 'Kylin', reference: report.reference.engine, both: `both Kylin and ${report.reference.engine}`, undecided: 'undecided' }[side];
}
