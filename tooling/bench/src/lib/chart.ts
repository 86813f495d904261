import type { Section } from './result.ts';

const BAR = 18;
const GAP = 10;
const PLOT = 420;
/** About the width of a character at the size of the labels. */
const CHARACTER = 6.2;
const TOP = 34;

interface Bar {
  readonly label: string;
  readonly ratio: number;
  readonly target: number | undefined;
}

/** The title of a section's chart. */
export function chartTitle({ title, counts }: Section): string {
  return counts === undefined
    ? `${title}: speed compared with code by hand`
    : `${title}: the least that its interface allows, as a fraction of ours`;
}

function barsOf({ rows = [], counts = [] }: Section): Bar[] {
  return [
    ...rows.flatMap(({ operation, beside, targetMs }) =>
      targetMs === undefined
        ? beside.map(({ name, ratio, target }): Bar => ({
            label: beside.length > 1 ? `${operation}: ${name.replace('by hand, ', '')}` : operation,
            ratio,
            target,
          }))
        : [],
    ),
    ...counts.flatMap(({ operation, ours, least }): Bar[] => [
      { label: `${operation}: requests`, ratio: least.requests / ours.requests, target: 1 },
      { label: 'units', ratio: (least.read + least.write) / (ours.read + ours.write), target: 1 },
    ]),
  ];
}

/**
 * Ratios of a section as bars on a logarithmic axis, each with a mark at its target; `undefined` if
 * there are none.
 */
export function chart(section: Section): string | undefined {
  const bars = barsOf(section);
  if (bars.length === 0) return undefined;
  const title = escape(chartTitle(section));
  const values = bars.flatMap(({ ratio, target }) => (target === undefined ? [ratio] : [ratio, target]));
  const low = Math.log2(Math.min(0.5, ...values)) - 0.3;
  const high = Math.log2(Math.max(2, ...values)) + 0.3;
  const labels = Math.ceil(Math.max(...bars.map(({ label }) => label.length)) * CHARACTER) + 20;
  const x = (value: number) => labels + ((Math.log2(value) - low) / (high - low)) * PLOT;
  const height = TOP + bars.length * (BAR + GAP) + 30;
  const ticks = Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => 2 ** (Math.ceil(low) + i));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${labels + PLOT + 70} ${height}" font-family="system-ui, sans-serif" font-size="12" role="img">
<title>${title}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="8" y="18" font-size="14" font-weight="600" fill="#1f2328">${title}</text>
${ticks.map((tick) => tickMark(x(tick), tick, height)).join('\n')}
${bars.map((bar, index) => barMark(bar, labels, TOP + index * (BAR + GAP), x)).join('\n')}
</svg>
`;
}

function tickMark(x: number, tick: number, height: number): string {
  const at = x.toFixed(1);
  const colour = tick === 1 ? '#57606a' : '#d8dee4';
  return `<line x1="${at}" x2="${at}" y1="${TOP - 6}" y2="${height - 24}" stroke="${colour}"/>
<text x="${at}" y="${height - 8}" text-anchor="middle" fill="#57606a">${tick < 1 ? tick.toFixed(3).replace(/0+$/, '') : tick} ×</text>`;
}

function barMark({ label, ratio, target }: Bar, labels: number, y: number, x: (value: number) => number): string {
  const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
  const missed = target !== undefined && ratio < target;
  const mark =
    target === undefined
      ? ''
      : `<line x1="${x(target).toFixed(1)}" x2="${x(target).toFixed(1)}" y1="${y - 3}" y2="${y + BAR + 3}" stroke="#1f2328" stroke-width="2"/>`;
  return `<text x="${labels - 8}" y="${y + 13}" text-anchor="end" fill="#1f2328">${escape(label)}</text>
<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${BAR}" fill="${missed ? '#bc4c00' : '#2da44e'}"/>
${mark}<text x="${(to + 5).toFixed(1)}" y="${y + 13}" fill="#1f2328">${ratio.toFixed(2)}</text>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
