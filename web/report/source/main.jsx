// The page: reads the report (docs/report.schema.json) that the program wrote into this file, and shows it.
import { render } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { Curves } from './curves.jsx';
import { Details } from './details.jsx';
import { Diagnosis } from './diagnosis.jsx';
import { Glossary } from './glossary.jsx';
import { Head } from './head.jsx';
import { HeatMap } from './heatmap.jsx';
import { Ledger, Logits, Lens, Notes, Outliers, Thresholds } from './panels.jsx';
import { key } from '../../shared/format.js';

// The cell shown first: where the engines part, else the largest local error.
function first_cell(report) {
    const at = report.first_divergence;
    if (at && report.cells.some((cell) => cell.stage === at.stage && cell.layer === at.layer)) return key(at.stage, at.layer);
    const worst = report.cells.reduce((best, cell) => (best === null || (cell.local.worst_row ?? Infinity) > (best.local.worst_row ?? Infinity) ? cell : best), null);
    return worst && key(worst.stage, worst.layer);
}

function Report({ report }) {
    const cells = useMemo(() => new Map(report.cells.map((cell) => [key(cell.stage, cell.layer), cell])), [report]);
    const [selected, select] = useState(() => first_cell(report));
    // What does not depend on the selected cell is drawn once.
    const rest = useMemo(() => (
        <div class="rest">
            <Diagnosis report={report} />
            <Curves report={report} cells={cells} />
            <div class="pair">
                <Logits report={report} />
                <Outliers report={report} />
            </div>
            <Lens report={report} />
            <Ledger report={report} />
            <Thresholds report={report} />
            <Notes report={report} />
            <Glossary report={report} />
        </div>
    ), [report, cells]);
    return (
        <>
            <Head report={report} select={select} />
            <main>
                <HeatMap report={report} cells={cells} selected={selected} select={select} />
                <Details report={report} cells={cells} cell={cells.get(selected)} select={select} />
                {rest}
            </main>
        </>
    );
}

const Failure = ({ text }) => <main class="failure"><h1>No report</h1><p>{text}</p></main>;

function page() {
    let report;
    try {
        report = JSON.parse(document.getElementById('report').textContent);
    } catch {
        return <Failure text="This file is the empty page: no report was written into it. kylin compare --html writes one." />;
    }
    if (report.format !== 'kylin.report/1') return <Failure text={`The report's format is ${report.format}; this page shows kylin.report/1.`} />;
    document.title = `${report.verdict}: ${report.model.name} · Kylin`;
    return <Report report={report} />;
}
render(page(), document.getElementById('page'));
