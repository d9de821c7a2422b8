// What is wrong with the reference, by name: the error under each mistake that was tried, and the elements.
import { barX } from '@observablehq/plot';
import { useCallback } from 'preact/hooks';
import { Figure, log_axis } from './figure.jsx';
import { number, place, visible } from '../../shared/format.js';

const shown = 12;  // mistakes: those that leave least

function Tried({ fault }) {
    const tried = fault.tried.slice(0, shown);
    const options = useCallback(() => {
        const { axis, at } = log_axis(tried.map((t) => t.error), 'relative error');
        const bars = tried.map((t) => ({ name: t.name, low: axis.domain[0], high: at(t.error), fill: t.name === fault.name ? 'var(--ours)' : 'var(--reference)', error: t.error }));
        return {
            height: 40 + 22 * bars.length, marginLeft: 190,
            x: axis, y: { domain: bars.map((b) => b.name), label: null, padding: 0.25 },
            marks: [barX(bars, { x1: 'low', x2: 'high', y: 'name', fill: 'fill', title: (b) => `${b.name}: ${b.error === null ? 'not finite' : number(b.error)}`, tip: true })],
        };
    }, [fault]);
    return (
        <Figure label={`Relative error under each mistake: ${tried.map((t) => `${t.name} ${number(t.error, 2)}`).join(', ')}`} options={options}>
            <h4>What each mistake would leave</h4>
        </Figure>
    );
}

function Elements({ report, fault }) {
    if (fault.elements.length === 0) return null;
    const heads = fault.elements.some((e) => e.head !== null);
    return (
        <div class="scroll" tabIndex={0} role="group" aria-label={`Elements of ${place(fault.stage, fault.layer)}`}>
            <table class="values">
                <thead><tr><th scope="col">token</th>{heads && <th scope="col">head</th>}<th scope="col">{heads ? 'key' : 'channel'}</th><th scope="col">{report.reference.engine}</th><th scope="col">right</th><th scope="col">with the mistake</th></tr></thead>
                <tbody>
                    {fault.elements.map((e, i) => (
                        <tr key={i}>
                            <th scope="row">{e.token} <code>{visible(report.tokens[e.token]?.text ?? '')}</code></th>
                            {heads && <td>{e.head}</td>}<td>{e.channel}</td><td>{number(e.theirs, 5)}</td><td>{number(e.as_is, 5)}</td><td>{number(e.with_fault, 5)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

const Fault = ({ report, fault }) => (
    <article>
        <h3>{fault.name} <small>at <code>{place(fault.stage, fault.layer)}</code>{fault.phase === 'all' ? '' : fault.phase === 'decode' ? ', in decode only' : ', in the prompt only'}</small></h3>
        <p>{fault.explanation}.{fault.fix && <> To fix it: {fault.fix}.</>}{fault.threads && <> Seen in: {fault.threads}.</>}</p>
        {fault.equivalent.map((e) => <p key={e.name} class="hint">These inputs do not tell it from {e.name} ({e.explanation}). This would: {e.told_apart_by}.</p>)}
        {fault.dumps_that_would_decide.length > 0 && <p class="hint">A dump of these would decide: {fault.dumps_that_would_decide.join(', ')}.</p>}
        <div class="pair">
            <Tried fault={fault} />
            <Elements report={report} fault={fault} />
        </div>
    </article>
);

export function Diagnosis({ report }) {
    const { diagnosis } = report;
    if (!diagnosis) return null;
    return (
        <section id="diagnosis" aria-labelledby="diagnosis-title">
            <h2 id="diagnosis-title">Diagnosis</h2>
            <p>{diagnosis.sentence}</p>
            {diagnosis.faults.map((fault, i) => <Fault key={i} report={report} fault={fault} />)}
        </section>
    );
}
